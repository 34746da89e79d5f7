# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What all scripts share: where things are, one line per step, stamps, locks.
# To be sourced by a script in scripts/ or qemu/, with `set -eu` in force.

unset CDPATH
TOP=$(cd "$(dirname "$0")/.." && pwd -P)
BUILD=${BUILD:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
export BUILD
PATH=$PATH:/usr/sbin:/sbin # chroot, for who is not root
case $TOP$BUILD in *[[:space:]:]*)
	echo "the kernel's make takes no paths with spaces or colons: $TOP, $BUILD" >&2
	exit 1
	;;
esac
LOG=$BUILD/log
ME=${0##*/}
MIRROR=${MIRROR:-$(cat "$BUILD/apt/mirror" 2>/dev/null || :)} # the one that was given last

say() { echo "==> $*"; }

die() {
	echo "$ME: error: $1" >&2
	shift
	for line; do echo "    $line" >&2; done
	exit 1
}

# karch FLAVOUR, triple FLAVOUR, cross FLAVOUR, guest_arch FLAVOUR: the names one
# architecture has in the kernel's tree, for Rust, for gcc and for Debian.
guest_arch() {
	case $1 in
	amd64 | amd64-* | cloud-amd64 | rt-amd64) echo amd64 ;;
	arm64 | arm64-* | cloud-arm64 | rt-arm64) echo arm64 ;;
	*) die "unknown architecture or flavour '$1'" "Known: amd64, arm64, and Debian's kernel flavours of these, such as arm64-16k." ;;
	esac
}
karch() { case $(guest_arch "$1") in amd64) echo x86 ;; arm64) echo arm64 ;; esac; }
triple() { case $(guest_arch "$1") in amd64) echo x86_64-unknown-linux-gnu ;; arm64) echo aarch64-unknown-linux-gnu ;; esac; }
cross() { case $(guest_arch "$1") in amd64) echo x86_64-linux-gnu- ;; arm64) echo aarch64-linux-gnu- ;; esac; }

# kernel_config FLAVOUR: the fragment of qemu/config that it is named after, if it is a
# kernel of the project's own (see scripts/kernel-build) and not one of Debian's.
kernel_config() { echo "$1" | cut -d- -f2; }
own_kernel() { [ -f "$TOP/qemu/config/$(kernel_config "$1")" ]; }
make_kernel() { mortal "$TOP/scripts/$(own_kernel "$1" && echo kernel-build || echo kernel)" "$1"; }

# slowness FLAVOUR: by what time limits are multiplied; a kernel that checks all it does is slow.
slowness() {
	case $(grep -sxE 'CONFIG_(PROVE_LOCKING|KCSAN)=y' "$BUILD/kernel/$1/config") in
	*PROVE_LOCKING*) echo 5 ;;
	*KCSAN*) echo 2 ;;
	*) echo 1 ;;
	esac
}

# The command substitutions above run die() in a subshell: check by hand, once.
check_flavour() {
	guest_arch "$1" >/dev/null || exit 1
	case $1 in amd64 | arm64 | arm64-16k | cloud-* | rt-*) return ;; esac
	# One that is built is known, also to a mutant's tree, which has no qemu/.
	own_kernel "$1" || [ -d "$BUILD/kernel/$1" ] || die "unknown flavour '$1'" "Kernels of the project's own are called after qemu/config, such as amd64-debug."
}

# Stamps. A step is done when its stamp holds the text of its inputs, and what it made is on the disk.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$1.tmp" && sync -f "$1.tmp" && mv -f "$1.tmp" "$1"; }

# lock NAME: one run of a step at a time; the lock goes with the process and its children.
lock() {
	mkdir -p "$BUILD" "$LOG" 2>/dev/null && [ -w "$BUILD" ] ||
		die "cannot write to $BUILD" "Give another folder: make BUILD=/some/folder ..."
	exec 9>"$BUILD/.lock-$1"
	flock -w 3 9 || {
		say "$1: another run is at it, waiting"
		flock 9
	}
}

# fetch NAME ARGS...: apt-get in the private world; once more with fresh lists if it fails.
fetch() {
	name=$1
	shift
	logged "$name" mortal apt-get -c "$BUILD/apt/apt.conf" -y -q "$@" 2>/dev/null && return
	say "$name: failed, reading the package lists again"
	"$TOP/scripts/apt-world" --refresh || exit 1
	logged "$name" mortal apt-get -c "$BUILD/apt/apt.conf" -y -q "$@" ||
		die "the packages could not be downloaded" \
			"No network? No space? What is there is kept: run the same command again."
}

seconds() { date +%s; }

# above_zero NAME VALUE: what somebody gave is such a number, or this ends.
above_zero() {
	case $2 in '' | 0* | *[!0-9]*) die "$1=$2 is not a number above 0" ;; esac
}

# known NAME WORDS KNOWN: what somebody gave is one or more of the known words, or this ends.
known() {
	[ -n "$2" ] || die "$1 is empty" "There are: $3"
	for word in $2; do
		case " $3 " in *" $word "*) ;; *) die "$1: '$word' is not known" "There are: $3" ;; esac
	done
}

# logged NAME COMMAND...: run it with its output in the log; every 10 seconds print
# what progress() says. A failure prints the end of the log.
progress() { :; }
logged() {
	log=$LOG/$1.log
	shift
	(
		exec 9>&-
		while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
			p=$(progress 2>/dev/null) && [ -n "$p" ] && echo "    $p"
		done
	) &
	ticker=$!
	status=0
	"$@" >"$log" 2>&1 </dev/null || status=$?
	kill "$ticker" 2>/dev/null || :
	wait "$ticker" 2>/dev/null || :
	[ "$status" = 0 ] && return
	echo "$ME: failed (status $status): the end of $log:" >&2
	tail -n 20 "$log" | sed 's/^/    /' >&2
	return "$status"
}

# late TEXT COMMAND...: says TEXT when the command takes more than three seconds.
late() {
	text=$1
	shift
	(
		exec 9>&-
		sleep 3 >/dev/null 2>&1 && kill -0 $$ && say "$text"
	) &
	ticker=$!
	status=0
	"$@" || status=$?
	kill "$ticker" 2>/dev/null || :
	return "$status"
}

# need_space MIB
need_space() {
	free=$(df -Pk "$BUILD" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge "$1" ] ||
		die "$BUILD has $free MiB free, this step needs $1 MiB" \
			"Make room, or use another disk: make BUILD=/some/folder ..."
}

# total: adds up lines "passed failed skipped" to the last line that people look for; fails if
# anything failed, or nothing passed.
total() {
	awk '
		{ passed += $1; failed += $2; skipped += $3 }
		END {
			print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"
			exit failed > 0 || passed == 0
		}'
}

# qemu_run ARGS...: a guest that does not outlive this script, which a signal ends at once.
qemu_run() {
	setpriv --pdeathsig TERM "$TOP/qemu/run" "$@" &
	wait $!
}

# one_thread FLAVOUR: qemu/run's option for a guest whose code is patched all the time. amd64 puts a
# breakpoint in its place meanwhile, which an emulated CPU must not meet later.
one_thread() { case $(guest_arch "$1") in amd64) echo --one-thread ;; esac; }

# mortal COMMAND...: a program that does not outlive this script.
mortal() { setpriv --pdeathsig TERM "$@"; }

# tallied: what lines "N passed, N failed, N skipped" say, as total reads it: "N N N".
tallied() { sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p'; }

# failures FILE: what scripts/check has named in the end, of what it printed to FILE.
failures() { sed -n '/^Failed:$/,/^$/p; /^FAIL/p' "$1"; }

# shown LABEL FILE ARGS...: a guest whose output goes to FILE and is printed as it comes, but for
# lines "stats: ..."; its errors go to FILE.err, its status is in $status, and $sums is what its
# last line "N passed, N failed, N skipped" says, if there is one: "N N N".
shown() {
	label=$1 file=$2
	shift 2
	: >"$file"
	tail -n +1 -f -s 0.5 --pid=$$ "$file" | sed -u "/^stats: /d; s/^/$label  /" &
	reader=$!
	status=0
	qemu_run "$@" >"$file" 2>"$file.err" </dev/null || status=$?
	sleep 1
	kill "$reader" 2>/dev/null || :
	# shellcheck disable=SC2034 # for the caller
	sums=$(tallied <"$file")
}
