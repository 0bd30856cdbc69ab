package bench

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"regexp"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours of the servers, the same in every plot.
var colours = map[string]color.Color{
	Ours: color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	Peer: color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	Null: color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	Host: color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
}

// Plot draws SVG files into dir: for each suite the bars of p50, of the daemon's CPU
// per operation and of the operations per second, for each row the distribution of
// the latencies.
func Plot(dir string, results []*Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var suites []string
	rows := map[string][]*Result{}
	for _, r := range results {
		if rows[r.Suite] == nil {
			suites = append(suites, r.Suite)
		}
		rows[r.Suite] = append(rows[r.Suite], r)
		if err := distribution(dir, r); err != nil {
			return err
		}
	}
	for _, s := range suites {
		for _, m := range []Metric{P50, CPU, Rate} {
			if err := bars(dir, s, m, rows[s]); err != nil {
				return err
			}
		}
	}
	return nil
}

// bars draws one group of bars for each row, one bar for each server.
func bars(dir, suite string, m Metric, rows []*Result) error {
	p := plot.New()
	p.Title.Text = suite + ": " + m.Name
	p.Y.Label.Text = m.Name + " " + m.Unit
	p.Y.Min = 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	var names []string
	for _, r := range rows {
		names = append(names, r.Row)
	}
	const width = 9 * vg.Millimeter / 2
	servers := rows[0].Order
	for i, name := range servers {
		values := make(plotter.Values, len(rows))
		for n, r := range rows {
			if s := r.Servers[name]; s != nil {
				values[n] = m.of(s)
			}
		}
		b, err := plotter.NewBarChart(values, width)
		if err != nil {
			return fmt.Errorf("plot %s: %w", suite, err)
		}
		b.Color, b.LineStyle.Width = colours[name], 0
		b.Offset = width * vg.Length(2*i-len(servers)+1) / 2
		p.Add(b)
		p.Legend.Add(name, b)
	}
	p.NominalX(names...)
	p.X.Tick.Label.Rotation = math.Pi / 6
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
	p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	p.Y.Max *= 1.2 // room for the legend
	size := vg.Length(len(rows)*(len(servers)+1))*width + 6*vg.Centimeter
	return save(p, filepath.Join(dir, file(suite+"-"+m.Name)), max(size, 12*vg.Centimeter))
}

// distribution draws the latency that a share of the operations does not exceed, from
// half of them to all but one in 100,000.
func distribution(dir string, r *Result) error {
	p := plot.New()
	p.Title.Text = r.Suite + ": " + r.Row
	p.X.Label.Text = "share of the reads that are slower"
	p.Y.Label.Text = "latency µs"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	var ticks plot.ConstantTicks
	for n, label := range []string{"", "10 %", "1 %", "0.1 %", "0.01 %", "0.001 %"} {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: label})
	}
	p.X.Tick.Marker = ticks
	drawn := false
	for _, name := range r.Order {
		var line plotter.XYs
		h := &r.Servers[name].latency
		count := float64(h.Count())
		for x := 0.3; x <= 5 && math.Pow(10, -x)*count >= 1; x += 0.05 {
			line = append(line, plotter.XY{X: x, Y: max(0.1, micros(h.Quantile(1-math.Pow(10, -x))))})
		}
		if len(line) == 0 {
			continue
		}
		l, err := plotter.NewLine(line)
		if err != nil {
			return fmt.Errorf("plot %s: %w", r.Row, err)
		}
		l.Color, l.Width = colours[name], vg.Points(1.5)
		p.Add(l)
		p.Legend.Add(name, l)
		drawn = true
	}
	if !drawn {
		return nil
	}
	return save(p, filepath.Join(dir, file(r.Suite+"-"+r.Row+"-latency")), 14*vg.Centimeter)
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

func file(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(unfit.ReplaceAll(b, []byte("-"))) + ".svg"
}

func save(p *plot.Plot, path string, width vg.Length) error {
	p.BackgroundColor = color.White
	c := vgsvg.New(width, 9*vg.Centimeter)
	const edge = 4 * vg.Millimeter
	p.Draw(draw.Crop(draw.New(c), edge, -edge, edge, -edge))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Close()
}
