# common.bash - shared by run.sh and runtime.sh: measuring, numbers, the sections of RESULTS.md.
# Sourced after tools/common.bash; $B is the caller's temporary directory.
# shellcheck shell=bash disable=SC2154  # $top is tools/common.bash's

# measure NAME RUNS COMMAND...: median in ms. MEASURE holds further arguments of hyperfine.
MEASURE=()
measure() {
        local name=$1 n=$2
        shift 2
        local line
        line=$(printf '%q ' "$@")
        hyperfine -N --style none --warmup 3 --runs "$n" "${MEASURE[@]}" --export-json "$B/$name.json" "$line" \
                >/dev/null 2>"$B/$name.err" || {
                cat "$B/$name.err" >&2
                return 1
        }
        jq -r '.results[0].median * 1000' "$B/$name.json"
}

# make_floor RUNS: build floor.c and run it on the busybox in $B/busybox.tar; its answers are in $B/floor.txt, the whole
# in ms is printed.
make_floor() {
        mkdir -p "$B/floor"/{lower,upper,work,root}
        tar -C "$B/floor/lower" -xf "$B/busybox.tar"
        gcc -O2 -D_GNU_SOURCE -o "$B/floor/floor" "$top/bench/floor.c"
        "$B/floor/floor" "$B/floor" "$1" >"$B/floor.txt"
        awk '$1 == "full" {print $2 / 1000}' "$B/floor.txt"
}

num() { if [[ $1 == - ]]; then printf '%s' -; else printf '%.2f' "$1"; fi; }
# ratio A B [DIGITS]
ratio() {
        if [[ $1 == - || $2 == - ]]; then printf '%s' -; else awk -v a="$1" -v b="$2" -v d="${3-1}" 'BEGIN {printf "%.*f", d, a / b}'; fi
}
verdict() { # A OP B: does the number hold
        [[ $1 != - ]] || { printf 'not measured' && return; }
        awk -v a="$1" -v b="$3" -v op="$2" 'BEGIN {ok = op == ">=" ? a >= b : a <= b; print ok ? "yes" : "NO"}'
}
version() { "$@" 2>/dev/null | head -n 1 | grep -oE '[0-9]+(\.[0-9]+)+[^ ,]*' | head -n 1; }

# machine SCRIPT: one line about when, where and how.
machine() {
        local cgroups='cgroup v1 or hybrid'
        [[ $(stat -fc %T /sys/fs/cgroup) != cgroup2fs ]] || cgroups='cgroup v2'
        printf '%s' "$(date -u +'%Y-%m-%d %H:%M UTC'), by \`bench/$1\`: $(nproc) processors ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)), $(free -g | awk '/^Mem/ {print $2}') GiB, Linux $(uname -r), $cgroups, $(stat -fc %T "$B")."
}

# section TITLE: stdin, which begins with "# TITLE", takes the place of that section of RESULTS.md (from its line to the
# next of the same rank), or comes last.
section() {
        local file=$top/bench/RESULTS.md
        cat >"$B/section"
        [[ -e $file ]] || : >"$file"
        awk -v title="# $1" -v new="$B/section" '
                function put(  line) { while ((getline line <new) > 0) print line; done = 1 }
                /^# / { skip = $0 == title; if (skip) { put(); if (!last) print "" } }
                !skip { print }
                END { if (!done) { if (NR) print ""; put() } }' "$file" | cat -s | sed -e '${/^$/d}' >"$B/results"
        cp "$B/results" "$file"
}
