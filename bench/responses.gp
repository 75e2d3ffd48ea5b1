# The responses of the resampler's filters, drawn by "make bench-audio":
#
#     gnuplot -e "data='build/responses'; png='docs/resampler.png'" \
#             bench/responses.gp
#
# data is what bench_audio --responses prints: a block for each pair, upwards
# and then downwards, and one for each other library that it knows.

set terminal pngcairo size 820,380 background '#ffffff' font 'sans,10' \
    linewidth 1
set output png

others = system(sprintf("grep -c '^\"' '%s'", data)) - 10
color(i) = word("#b0b0b0 #808080 #c0a060", i - 9)

set multiplot layout 1,2
set grid linecolor '#d0d0d0' linewidth 0.5
set border linecolor '#606060'
set tics textcolor '#303030'
set xlabel 'kHz'
set ylabel 'dB'
set key font ',9' samplen 1.5

name(i) = system(sprintf("grep '^\"' '%s' | sed -n %dp | tr -d '\"'", \
                         data, i + 1))

# the whole
set title 'Stop band from 4.2 kHz'
set xrange [0:8]
set yrange [-100:10]
set xtics 1
set ytics 20
set key at graph 0.03,0.62 left Left reverse
set arrow 1 from 4.2,-70 to 8,-70 nohead linecolor '#c00000' dashtype 2
set arrow 2 from 4.2,-70 to 4.2,10 nohead linecolor '#c00000' dashtype 2

plot for [i = 10:9 + others] data index i using ($1 / 1000):2 with lines \
         linecolor rgb color(i) \
         title name(i) noenhanced, \
     for [i = 0:4] data index i using ($1 / 1000):2 with lines \
         linecolor '#1f77b4' title (i ? '' : 'upwards, 5 filters'), \
     for [i = 5:9] data index i using ($1 / 1000):2 with lines \
         linecolor '#d95f02' title (i > 5 ? '' : 'downwards, 5 filters')

# what is kept
set title 'Pass band to 3.4 kHz'
set xrange [0:4]
set yrange [-0.15:0.15]
set ytics 0.05
unset arrow
set arrow 1 from 0,0.1 to 3.4,0.1 nohead linecolor '#c00000' dashtype 2
set arrow 2 from 0,-0.1 to 3.4,-0.1 nohead linecolor '#c00000' dashtype 2
set arrow 3 from 3.4,-0.1 to 3.4,-0.15 nohead linecolor '#c00000' dashtype 2

plot for [i = 10:9 + others] data index i using ($1 / 1000):2 with lines \
         linecolor rgb color(i) notitle, \
     for [i = 0:4] data index i using ($1 / 1000):2 with lines \
         linecolor '#1f77b4' notitle, \
     for [i = 5:9] data index i using ($1 / 1000):2 with lines \
         linecolor '#d95f02' notitle

unset multiplot
