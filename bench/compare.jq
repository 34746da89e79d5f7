# SPDX-License-Identifier: GPL-2.0
#
# Two files of results side by side, cell by cell: those that both have, with the second
# median divided by the first. To be run with -s, and --arg all 1 for those that agree as well.

def key($run): [$run.flavour, $run.swap, $run.clock, .what, .case, "\(.kib) KiB \(.mapping)", .path];
def text: if .why then "none" else .median | tostring end;

. as [$a, $b]
| ([$b.runs[] as $run | $run.cells[] | {key: (key($run) | join(" ")), value: .}] | from_entries) as $second
| [ $a.runs[] as $run | $run.cells[] | . as $x | key($run) as $key
    | $second[$key | join(" ")] as $y
    | select($y != null)
    | (if $x.median and $y.median then $y.median / $x.median else null end) as $ratio
    | {$key, $ratio, x: ($x | text), y: ($y | text)} ] as $pairs
| ($pairs | map(.ratio | values)) as $ratios
| ([$pairs[] | select($all == "1" or (.ratio | if . == null then false else . < 0.999 or . > 1.001 end) or (.ratio == null and .x != .y))]
    | .[] | "\(.ratio | if . == null then "-" else . * 1000 | round / 1000 end)\t\(.x)\t\(.y)\t\(.key | join(" "))"),
  "\($pairs | length) cells are in both, \($ratios | length) with numbers; \([$ratios[] | select(. < 0.999)] | length) are lower in the second, \([$ratios[] | select(. > 1.001)] | length) higher."
