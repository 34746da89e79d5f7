# SPDX-License-Identifier: GPL-2.0
#
# The tables, in Markdown, of a file of results (README.md says what is in one).

def floor_per_page: 25;

def cases: {
  exclusive: "exclusive: mapped by one process",
  shared2: "shared by 2 processes",
  shared8: "shared by 8 processes",
  alternating: "alternating: every second page is exclusive, the others are not",
  half: "half: the second half of the folio is not mapped any more"
};
def title($what; $runs):
  if $what == "inside" then "Inside: one `try_to_unmap()`"
  else "Outside: one `madvise(MADV_PAGEOUT)` of \($runs | map(.mib) | unique | join(", ")) MiB, live mode off (kernel) and on (batched)"
  end;
def units: {instructions: "instructions", time: "nanoseconds"};

def number: if . >= 100 then round else (. * 10 | round / 10) end | tostring;
def two_places: (. * 100 | round) as $n | "\($n / 100 | floor).\($n % 100 + 100 | tostring[1:])";
# What all repeats agree on, within a tenth of a per cent, is one number.
def spread:
  if .most - .least <= .median / 1000 then .median | number
  else "\(.median | number) (\(.least | number)..\(.most | number))" end;

def right($n): " " * ($n - length) + .;
# The first row is the head.
def table:
  . as $rows
  | [range($rows[0] | length) as $i | [$rows[][$i] | length] | max] as $widths
  | def line: "| " + ([range(length) as $i | .[$i] | right($widths[$i])] | join(" | ")) + " |";
    ($rows[0] | line),
    "| " + ([$widths[] | "-" * (. - 1) + ":"] | join(" | ")) + " |",
    ($rows[1:][] | line);

# All reasons why a cell has no number, in the order of their marks.
([.runs[].cells[] | .why // empty] | reduce .[] as $w ([]; if index([$w]) then . else . + [$w] end)) as $whys
| def text: if . == null then ""
    elif .why then "(\(.why as $w | $whys | index([$w]) + 1))"
    else spread end;

# The columns of one run, for cells of one row: kernel, batched, gain, and what is left to the floor.
def columns($paths; $floor):
  (map({(.path): .}) | add // {}) as $of
  | [$paths[] | $of[.] | text]
    + (if $paths | length < 2 then []
       elif $of.kernel.median and $of.batched.median then
         ["\($of.kernel.median / $of.batched.median | two_places)x"]
       else [""] end)
    + (if $floor | not then []
       else [$of[$paths[-1]].median // null | if . then "\(. / floor_per_page | two_places)x" else "" end] end);

# Three paths on two kernels of one architecture: a row for each cell that both kernels have.
def three_paths($stock; $other):
  [["KiB", "sharing", "stock", "patched", "ours", "ours / patched"]]
  + [ ([$stock.cells[], $other.cells[]] | map({what, case, kib, mapping}) | unique) as $places
      | (cases | keys_unsorted[]) as $case
      | $places | map(select(.case == $case)) | sort_by(.kib, .mapping == "pmd")[]
      | . as $place
      | ([$stock.cells[] | select({what, case, kib, mapping} == $place)] | map({(.path): .}) | add // {}) as $of
      | ([$other.cells[] | select({what, case, kib, mapping} == $place and .path == "kernel")][0]) as $patched
      | select(any($of[], $patched; .median))
      | [ "\(.kib)\(if .mapping == "pmd" then " PMD" else "" end)", $case,
          ($of.kernel | text), ($patched | text), ($of.batched | text),
          (if $of.batched.median and $patched.median then $of.batched.median / $patched.median | two_places else "" end) ] ]
  | table;

def heads($flavour; $paths; $floor):
  [$paths[] | "\($flavour) \(.)"]
  + (if $paths | length < 2 then [] else ["gain"] end)
  + (if $floor then ["to the floor"] else [] end);

. as $doc
| (.runs | unique_by([.command, .revision])[] | "Made by `\(.command)` from \(.revision).  "),
  "",
  (.runs | unique_by([.flavour, .swap, .accel, .clock])[]
    | "- \(.flavour), swap on \(.swap): Linux \(.kernel), \(.qemu), \(.accel), the clock counts \(.clock)\(if (.status // 0) == 0 then "" else "; NOT COMPLETE, the guest ended with status \(.status)" end)"),
  "",
  "\(.runs | map(.repeats) | unique | join(", ")) measurements of each cell, after a first one that is not counted: their median,",
  "and in brackets least and most, where they differ by more than a tenth of a per cent.",
  ( ["inside", "outside"][] as $what
  | .runs[] | select(.beside) as $other
  | $doc.runs[] | select(.flavour == $other.beside and .swap == $other.swap and .clock == $other.clock) as $stock
  | [$other, $stock | .cells |= map(select(.what == $what))] as [$patched, $plain]
  | select($patched.cells != [])
  | "", "## \($other.arch), three paths: \(title($what; [$stock, $other])), swap on \($other.swap)",
    "",
    "In \(units[$other.clock]) per page table entry that is unmapped. stock: the kernel's path in \($stock.kernel);",
    "ours: this module's in the same kernel; patched: the kernel's path in \($other.kernel), of the same configuration.",
    "",
    three_paths($plain; $patched) ),
  ( ["inside", "outside"][] as $what
  | (.runs | map(.clock) | unique[]) as $clock
  | (.runs | map(.swap) | unique[]) as $swap
  | [$doc.runs[] | select(.clock == $clock and .swap == $swap)] as $runs
  | select(any($runs[].cells[]; .what == $what))
  | ($what == "inside" and $clock == "instructions") as $floor
  | "", "## \(title($what; $runs)), swap on \($swap)",
    "",
    "In \(units[$clock]) per page table entry that is unmapped, of all processes."
      + if $floor then " The floor is \(floor_per_page) a page." else "" end,
    ( (cases | keys_unsorted[]) as $case
    | [$runs[] | {flavour, cells: [.cells[] | select(.what == $what and .case == $case)]}
        | .paths = ([.cells[].path] | unique | reverse) | select(.cells != [])] as $here
    | select($here != [])
    | "", "### \(cases[$case])", "",
      if all($here[].cells[]; .why) then
        "No number: \([$here[].cells[] | text] | unique | join(" "))"
      else
        [ ["KiB"] + [$here[] | heads(.flavour; .paths; $floor)[]],
          ( [$here[].cells[] | [.kib, .mapping]] | unique | sort_by(.[0], .[1] == "pmd") | .[] as [$kib, $mapping]
          | ["\($kib)\(if $mapping == "pmd" then " PMD" else "" end)"]
            + [$here[] | .paths as $paths
                | [.cells[] | select(.kib == $kib and .mapping == $mapping)] | columns($paths; $floor)[]] )
        ] | table
      end ) ),
  if $whys == [] then empty else
    "", ($whys | to_entries[] | "(\(.key + 1)) \(.value)  ")
  end
