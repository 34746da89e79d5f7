# SPDX-License-Identifier: GPL-2.0
#
# Draws one plot of what series.jq gives: a panel for each architecture, with so many blocks.
# usage: gnuplot-nox -e "plot_name='cost'; panels='amd64 arm64'; counts='2 2'; data='FOLDER'; out='FILE'" plots.gp

set terminal svg size 460 * words(panels), 380 font "sans-serif,12" noenhanced background "white" dynamic
set output out
set logscale x 2
set xtics (4, 16, 32, 64, 128, 256, 512, 1024, 2048) font ",9"
set xrange [3:2800]
set xlabel "folio size, KiB"
set grid ytics lc rgb "#dddddd" lw 1 lt 1
set lmargin 9
set border 3 lc rgb "#666666"
set tics nomirror
set key top right samplen 2 spacing 1.1 font ",11"
set style data yerrorlines
do for [i = 1:8] { set linetype i lw 1.5 pt 7 ps 0.5 }
set linetype 1 lc rgb "#c44e52"
set linetype 2 lc rgb "#4c72b0"
set linetype 3 lc rgb "#dd8452"
set linetype 4 lc rgb "#55a868"
set linetype 5 lc rgb "#8172b3"
set linetype 6 lc rgb "#937860"
set linetype 7 lc rgb "#da8bc3"
set linetype 8 lc rgb "#8c8c8c"

floor_line = 0
if (plot_name eq "cost") {
	heading = "one try_to_unmap() of an exclusive folio"
	set ylabel "instructions per page"
	set logscale y
	set ytics (25, 50, 100, 200, 500, 1000, 2000)
	set yrange [15:8000]
	floor_line = 25
	floor_name = "floor: 25"
}
if (plot_name eq "gain") {
	heading = "one try_to_unmap(): kernel / batched"
	set ylabel "times fewer instructions"
	set yrange [0:*]
	set key top left
	floor_line = 1
	floor_name = "no gain"
}
if (plot_name eq "floor") {
	heading = "one try_to_unmap(): batched / floor of 25"
	set ylabel "times the floor"
	set logscale y
	set ytics (1, 2, 5, 10, 20, 50, 100)
	set yrange [0.8:150]
	floor_line = 1
	floor_name = "floor"
}
if (plot_name eq "outside") {
	heading = "MADV_PAGEOUT, with the writes to swap"
	set ylabel "instructions per page"
	set yrange [0:*]
}

set multiplot layout 1, words(panels)
do for [k = 1:words(panels)] {
	panel = word(panels, k)
	file = sprintf("%s/%s-%s", data, plot_name, panel)
	set title sprintf("%s: %s", panel, heading) font ",12"
	blocks = int(word(counts, k))
	if (floor_line > 0) {
		plot for [i = 0:blocks - 1] file index i using 1:2:3:4 title columnheader(1) lt i + 1, \
			floor_line with lines lc rgb "#444444" dt 2 lw 1.5 title floor_name
	} else {
		plot for [i = 0:blocks - 1] file index i using 1:2:3:4 title columnheader(1) lt i + 1
	}
}
unset multiplot
