package main

import (
	"errors"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// drawPlot draws bring-up time against N into a file whose extension is the
// format, such as .svg.
func drawPlot(path string, results []result) error {
	var ours, grpcGo plotter.XYs
	for _, r := range results {
		if r.Name != burstTime.name || r.Evenkeel <= 0 {
			continue
		}
		ours = append(ours, plotter.XY{X: float64(r.N), Y: r.Evenkeel})
		if r.GRPC != nil && *r.GRPC > 0 {
			grpcGo = append(grpcGo, plotter.XY{X: float64(r.N), Y: *r.GRPC})
		}
	}
	if len(ours) < 2 || len(grpcGo) < 2 {
		return errors.New("bench: plot: the results have bring-up times of fewer than two sizes")
	}
	p := plot.New()
	p.Title.Text = "Until N endpoints are READY"
	p.X.Label.Text, p.Y.Label.Text = "endpoints", "ms"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	if err := plotutil.AddLinePoints(p, "grpc-go", grpcGo, ourName, ours); err != nil {
		return fmt.Errorf("bench: plot: %w", err)
	}
	p.X.Max, p.Y.Max = 1.5*p.X.Max, 3*p.Y.Max // room for the last label and the legend
	return p.Save(6*vg.Inch, 4*vg.Inch, path)
}
