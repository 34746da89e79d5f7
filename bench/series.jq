# SPDX-License-Identifier: GPL-2.0
#
# What plots.gp draws of a file of results: blocks of "x y least most", each under its
# title. To be run with --arg plot and --arg arch, of which the panel is.

def of_arch: [.runs[] | select(.arch == $arch and .clock == "instructions")];
def first_swap: (.[0].swap // "") as $swap | map(select(.swap == $swap));
def cells($what; $case): .cells[] | select(.what == $what and .case == $case and .median);
def by_pte: select(.mapping == "pte");
def named($run): if $run.flavour == $arch then . else "\($run.flavour), \(.)" end;
def case_name: {shared2: "shared by 2", shared8: "shared by 8"}[.] // .;
def path_name: {kernel: "kernel", batched: "batched"}[.];
# A single size, such as all that arm64-16k swaps whole, is no line: the tables have it.
def block($title): if length > 1
  then "\"\($title)\"", (sort_by(.[0])[] | map(tostring) | join(" ")), "", "" else empty end;
def paths: ["kernel", "batched"][];
def all_cases: ["exclusive", "shared2", "shared8", "alternating", "half"][];

of_arch
| if $plot == "cost" then
    first_swap[] as $run | paths as $path
    | [$run | cells("inside"; "exclusive") | by_pte | select(.path == $path) | [.kib, .median, .least, .most]]
    | block($path | path_name | named($run))
  elif $plot == "gain" then
    first_swap[] as $run | all_cases as $case
    | [$run | [cells("inside"; $case) | by_pte] | group_by(.kib)[]
        | (map({(.path): .}) | add) | select(.kernel and .batched)
        | [.kernel.kib, .kernel.median / .batched.median, .kernel.least / .batched.most, .kernel.most / .batched.least]]
    | block($case | case_name | named($run))
  elif $plot == "floor" then
    first_swap[] as $run | all_cases as $case
    | [$run | cells("inside"; $case) | by_pte | select(.path == "batched") | [.kib, .median / 25, .least / 25, .most / 25]]
    | block($case | case_name | named($run))
  else
    first_swap[] as $run | paths as $path
    | [$run | cells("outside"; "exclusive") | select(.path == $path) | [.kib, .median, .least, .most]]
    | block("\($run.swap), \($path | path_name)" | named($run))
  end
