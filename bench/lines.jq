# SPDX-License-Identifier: GPL-2.0
#
# What is printed while a guest measures: a line for each cell. To be run with -R, and
# --arg guest, the guest's name.

def right($n): tostring | " " * ($n - length) + .;
def left($n): tostring | . + " " * ($n - length);
def spread: "\(.median | right(9))  (\(.least) .. \(.most))";

. as $line
| (try fromjson catch null) as $cell
| if $cell | type != "object" then "\($guest)  \($line)"
  else
    $cell
    | "\($guest | left(14))  \(.what | left(7))  \(.case | left(11)) \(.kib | right(4)) KiB \(.mapping)  \(.path | left(7)) "
      + if .why then "         \(if .failed then "FAILED: " else "" end)\(.why)" else spread end
  end
