package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// mutation is one mistake.
type mutation struct {
	file  string
	line  int
	kind  string
	what  string // for the reader
	src   []byte // the file's text when it was looked through: it may be edited meanwhile
	edits []edit // by position, not overlapping
}

// edit replaces the bytes from pos to end.
type edit struct {
	pos, end int
	text     string
}

func (m mutation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", m.file, m.line, m.kind, m.what)
}

// apply returns the file's text with the mistake made.
func (m *mutation) apply() []byte {
	out, at := []byte(nil), 0
	for _, e := range m.edits {
		out = append(append(out, m.src[at:e.pos]...), e.text...)
		at = e.end
	}
	return append(out, m.src[at:]...)
}

// operators are mistaken for each other.
var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
}

// names are mistaken for each other: fields and units that a compiler cannot tell apart.
var names = func() map[string]string {
	both := map[string]string{}
	for _, p := range [][2]string{
		{"User", "System"}, {"Reads", "Writes"}, {"Limit", "Usage"}, {"Bytes", "Ops"}, {"Quota", "Period"}, {"Major", "Minor"},
		{"LimitAt", "UsageAt"}, {"Merged", "Ops"}, {"Microsecond", "Millisecond"}, {"Second", "Minute"},
		{"Anon", "FileCache"}, {"InactiveAnon", "InactiveFile"}, {"ActiveAnon", "ActiveFile"}, {"SlabReclaimable", "SlabUnreclaimable"},
		{"Zswap", "Zswapped"}, {"total", "used"}, {"swapTotal", "swapUsed"}, {"user", "system"}, {"min", "max"},
	} {
		both[p[0]], both[p[1]] = p[1], p[0]
	}
	return both
}()

// visitor collects the mistakes of one file.
type visitor struct {
	set   *token.FileSet
	src   []byte
	file  string
	found []mutation
}

// hints are functions whose numbers only say how much memory to take.
var hints = []string{"make", "grow"}

func (v *visitor) walk(tree *ast.File) {
	var stack []ast.Node
	ast.Inspect(tree, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if skipped(n) {
			return false
		}
		v.visit(n, stack)
		stack = append(stack, n)
		return true
	})
}

// skipped reports whether a mistake in n would be no mistake: types, imports, texts of errors and logs,
// sizes of memory.
func skipped(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.StructType, *ast.FuncType, *ast.ArrayType:
		return true
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains(hints, id.Name) {
			return true
		}
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && (sel.Sel.Name == "Errorf" || sel.Sel.Name == "Debug" || sel.Sel.Name == "Warn")
	}
	return false
}

func (v *visitor) visit(n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		v.operator(n.OpPos, n.Op)
	case *ast.AssignStmt:
		v.operator(n.TokPos, n.Tok)
	case *ast.IfStmt:
		v.add("condition", n.Cond, v.span(n.Cond, "!("+v.text(n.Cond)+")"))
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			v.add("condition", n, v.span(n, v.text(n.X)))
		}
	case *ast.BranchStmt:
		if n.Label == nil && n.Tok == token.CONTINUE {
			v.add("branch", n, v.span(n, "break"))
		}
	case *ast.SelectorExpr:
		v.name(n.Sel)
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "min" || id.Name == "max") {
			v.name(id)
		}
	case *ast.BasicLit:
		v.literal(n, stack)
	case *ast.CompositeLit:
		v.rows(n)
	case *ast.CaseClause:
		v.clauses(n, stack)
	}
}

func (v *visitor) operator(pos token.Pos, op token.Token) {
	other, ok := operators[op]
	if !ok {
		return
	}
	at := v.set.Position(pos).Offset
	v.add("operator", nil, edit{at, at + len(op.String()), other.String()})
}

func (v *visitor) name(id *ast.Ident) {
	if other, ok := names[id.Name]; ok {
		v.add("name", nil, v.span(id, other))
	}
}

// literal counts one too many, and misspells a kernel's word.
func (v *visitor) literal(n *ast.BasicLit, stack []ast.Node) {
	switch n.Kind {
	case token.INT:
		if i, err := strconv.ParseUint(n.Value, 0, 62); err == nil {
			if len(stack) > 0 && isRefusal(stack[len(stack)-1]) {
				return
			}
			v.add("number", nil, v.span(n, strconv.FormatUint(i+1, 10)))
		}
	case token.STRING:
		if len(n.Value) < 4 || n.Value[0] != '"' || strings.ContainsAny(n.Value, ` %\`) {
			return
		}
		if len(stack) > 0 {
			switch p := stack[len(stack)-1].(type) {
			case *ast.CaseClause, *ast.KeyValueExpr:
			case *ast.CallExpr:
				if f, ok := p.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "New" {
					return
				}
			default:
				return
			}
		}
		v.add("word", nil, v.span(n, `"~`+n.Value[2:]))
	}
}

// isRefusal reports whether n returns false or an error at the end: nobody looks at the number beside it.
func isRefusal(n ast.Node) bool {
	r, ok := n.(*ast.ReturnStmt)
	if !ok || len(r.Results) < 2 {
		return false
	}
	last, ok := r.Results[len(r.Results)-1].(*ast.Ident)
	return ok && (last.Name == "false" || strings.HasPrefix(last.Name, "err"))
}

// rows swaps the values of neighbours in a table.
func (v *visitor) rows(n *ast.CompositeLit) {
	for i := 1; i < len(n.Elts); i++ {
		a, ok1 := n.Elts[i-1].(*ast.KeyValueExpr)
		b, ok2 := n.Elts[i].(*ast.KeyValueExpr)
		if !ok1 || !ok2 || v.text(a.Value) == v.text(b.Value) {
			continue
		}
		v.add("swap", a.Key, v.span(a.Value, v.text(b.Value)), v.span(b.Value, v.text(a.Value)))
	}
}

// clauses swaps what two neighbouring cases of a switch do.
func (v *visitor) clauses(n *ast.CaseClause, stack []ast.Node) {
	body, ok := stack[len(stack)-1].(*ast.BlockStmt)
	i := 0
	if ok {
		i = slices.Index(body.List, ast.Stmt(n))
	}
	if i < 1 || len(n.List) == 0 {
		return
	}
	before, ok := body.List[i-1].(*ast.CaseClause)
	if !ok || len(before.List) == 0 {
		return
	}
	v.add("swap", n.List[0], v.span(before.List[0], v.text(n.List[0])), v.span(n.List[0], v.text(before.List[0])))
}

func (v *visitor) text(n ast.Node) string { return string(v.src[v.offset(n.Pos()):v.offset(n.End())]) }

func (v *visitor) offset(p token.Pos) int { return v.set.Position(p).Offset }

func (v *visitor) span(n ast.Node, text string) edit {
	return edit{v.offset(n.Pos()), v.offset(n.End()), text}
}

func (v *visitor) add(kind string, about ast.Node, edits ...edit) {
	var what []string
	for _, e := range edits {
		what = append(what, fmt.Sprintf("%s -> %s", v.src[e.pos:e.end], e.text))
	}
	text := strings.Join(what, ", ")
	if about != nil && kind == "swap" {
		text = fmt.Sprintf("at %s: %s", v.text(about), text)
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 120 {
		text = text[:117] + "..."
	}
	line := 1 + strings.Count(string(v.src[:edits[0].pos]), "\n")
	v.found = append(v.found, mutation{file: v.file, line: line, kind: kind, what: text, src: v.src, edits: edits})
}
