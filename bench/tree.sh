#!/usr/bin/env bash
# tree.sh DIR FILES MEGABYTES LAYERS: make DIR/layer-1 ... DIR/layer-N, together about FILES files of MEGABYTES MB,
# copied from this machine's /usr (real sizes, names and contents), as layers of an image would have them: each its own
# directories. The choice depends only on names and sizes.
set -euo pipefail

dir=$1 files=$2 bytes=$(($3 * 1000000)) layers=$4
mkdir -p "$dir"
# In an order that has nothing to do with the place, as often as needed; a file is left out when it would bring the mean
# size too far above the wanted one.
find /usr -xdev -type f -readable ! -name '*[[:space:]]*' -size -20M -printf '%s %P\n' |
        awk '{ h = 0; for (i = 1; i <= length($2); i++) h = (h * 31 + ord[substr($2, i, 1)]) % 2147483647; printf "%d %s\n", h, $0 }
             BEGIN { for (i = 32; i < 127; i++) ord[sprintf("%c", i)] = i }' | LC_ALL=C sort -n -k1,1 -k3 >"$dir/all"
awk -v files="$files" -v bytes="$bytes" '
        { size[NR] = $2; name[NR] = $3 }
        END {
                mean = bytes / files
                for (round = 1; n < files && round < 100; round++)
                        for (i = 1; i <= NR && n < files; i++)
                                if (sum + size[i] <= (n + 1) * mean + bytes / 50) {
                                        print round, name[i]
                                        sum += size[i]
                                        n++
                                }
        }' "$dir/all" | LC_ALL=C sort -k1,1n -k2 >"$dir/chosen"
total=$(wc -l <"$dir/chosen")
for ((l = 1; l <= layers; l++)); do
        awk -v l="$l" -v n="$layers" -v total="$total" 'NR > total * (l - 1) / n && NR <= total * l / n' "$dir/chosen" >"$dir/list"
        while read -r round; do
                mkdir -p "$dir/layer-$l/r$round"
                awk -v r="$round" '$1 == r {print $2}' "$dir/list" |
                        tar -C /usr -cf - -T - --owner=0 --group=0 --numeric-owner | tar -C "$dir/layer-$l/r$round" -xpf -
        done < <(cut -d' ' -f1 "$dir/list" | sort -nu)
done
rm -f "$dir"/{all,chosen,list}
