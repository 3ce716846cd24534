# Registries that break, lie, stall and spy: one clear line, the right status, nothing published, other images as they
# were, and the next good pull works with what came before. Numbers in names are rows of the catalogue of known attacks.
# Tags: asan.

load lib
load registry

setup_file() {
        e2e_setup
        export DOCKER_CONFIG=$T/docker
        mkdir -p "$DOCKER_CONFIG"
        hostile_tls
        hostile_start
}
teardown_file() {
        hostile_stop
        e2e_teardown
}
teardown() { e2e_clean; }

# Everything that a failed pull must leave alone.
shown() {
        hod images -a --digests --no-trunc --format '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' | sort
        find "$HOD_ROOT/blobs" "$HOD_ROOT/layers" -mindepth 1 -maxdepth 2 -printf '%P\n' | sort
        find "$HOD_ROOT/tmp" -mindepth 1 -printf 'tmp %P\n'
}

# refuses BEHAVIOUR REGEX [OPTION...]: the pull of its image fails with that line, and nothing else has happened.
refuses() {
        local behaviour=$1 regex=$2 before
        shift 2
        before=$(shown)
        refused 1 "$regex" hod --registry-timeout 10s pull -q "$@" "$(at open)/$behaviour/x:$behaviour"
        is "$(shown)" "$before" "after $behaviour"
}
# The same blobs, honestly.
good() { is "$(hod pull -q "$(at open)/good/x:$1")" "$(at open)/good/x:$1" && hod rmi "$(at open)/good/x:$1" >/dev/null; }
resumed() { requests '.range != null and .status == 206' | grep -q "good/x"; }

@test "a blob that breaks off is continued where it broke" {
        local b
        for b in drops drop99 norange range416; do
                is "$(hod pull -q "$(at open)/$b/x:$b")" "$(at open)/$b/x:$b"
                hod rmi "$(at open)/$b/x:$b" >/dev/null
        done
        is "$(requests '(.path | contains("/drops/x/blobs")) and .range != null' | wc -l)" 5
        like "$(requests '(.path | contains("/drop99/x/blobs")) and .range != null' | jq -r .range)" '^bytes=(9|10)[0-9]{5}-$'
}

@test "the second pull of the same asks for the digest, no more" {
        hod pull -q "$(at open)/index/x:second" >/dev/null
        requests_forget
        hod pull -q "$(at open)/index/x:second" >/dev/null
        is "$(requests '.path != "/v2/"' | jq -r .method)" HEAD
        hod rmi "$(at open)/index/x:second" >/dev/null
}

@test "a blob that always ends at the same place: one line, and the next pull asks for the rest only" {
        refuses stuck 'layer sha256:[0-9a-f]{64}: .*(EOF|closed)'
        requests_forget
        good stuck
        resumed
}

@test "a blob that is another one than promised is refused, and does not spoil the next pull" {
        local b
        for b in short flipped flippedend shortsize wrongrange badlayer baddiff; do
                refuses "$b" 'layer sha256:[0-9a-f]{64}: '
                good "$b"
        done
}

@test "a blob that is longer than promised: only what was promised is read" {
        good longer
        is "$(hod pull -q "$(at open)/longer/y:longer")" "$(at open)/longer/y:longer"
        hod rmi "$(at open)/longer/y:longer" >/dev/null
}

@test "redirects: followed to another host, not in circles" {
        refuses loop 'redirects'
        refuses endless 'layer sha256'
        refuses loopmanifest 'redirects'
        is "$(hod pull -q "$(at open)/away/x:away")" "$(at open)/away/x:away"
        hod rmi "$(at open)/away/x:away" >/dev/null
}

@test "manifests that lie about themselves are refused" {
        refuses selfindex 'sha256:0{64}'
        refuses deepindex 'nested more than 4 deep'
        refuses noplatform 'no matching manifest for linux/[a-z0-9]+ in the manifest list entries'
        refuses manylayers '10000 layers'
        refuses hugemanifest 'larger than'
        refuses evildigest 'digest'
        refuses artifact 'artifact'
        refuses wrongmanifest 'sha256'
        refuses wrongtype 'calls itself'
        refuses oddtype 'text/plain'
        refuses html 'manifest sha256'
        unlike "$(hod pull "$(at open)/html/x:1" 2>&1)" $'\033' 'escape sequences of a server'
}

@test "configurations of 50 MB, announced or not, are not taken" {
        local rss
        refuses bigconfig '52428800 bytes'
        refuses longconfig 'configuration'
        refuses flippedconfig 'configuration'
        rss=$(python3 - "$HOD_BIN/hod" "$(at open)/longconfig/x:1" <<-'END'
		import resource, subprocess, sys
		subprocess.run([sys.argv[1], "pull", "-q", sys.argv[2]], stderr=subprocess.DEVNULL)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
		END
        )
        ((rss < 40000)) || fail "$rss kB of memory"
}

@test "answers of failure: docker's words, docker's statuses" {
        local pid status=0
        # Who says "later" is asked again, a while.
        hod pull -q "$(at open)/status429/x:1" >"$T/429" 2>&1 &
        pid=$!
        refuses status401 'unauthorized: authentication required'
        refuses status403 "pull access denied for .*/status403/x, repository does not exist or may require 'hod login': denied: requested access to the resource is denied"
        refuses status404 'manifest for .*/status404/x:status404 not found: manifest unknown'
        refuses status500 'broken'
        hod pull -q "$(at open)/later503/x:1" >/dev/null
        local t0=${EPOCHREALTIME/./}
        hod pull -q "$(at open)/later429/x:1" >/dev/null
        (((${EPOCHREALTIME/./} - t0) / 1000 > 1500)) || fail 'Retry-After was not waited for'
        hod rmi "$(at open)/later503/x:1" "$(at open)/later429/x:1" >/dev/null
        wait "$pid" || status=$?
        is "$status" 1
        like "$(cat "$T/429")" '^hod: toomanyrequests: slow down$'
}

@test "a server that sends a byte a second, or nothing, is given up" {
        local slow pause
        hod --registry-timeout 2s pull -q "$(at open)/slow/x:slow" >"$T/slow" 2>&1 &
        slow=$!
        hod --registry-timeout 2s pull -q "$(at open)/pause/x:pause" >"$T/pause" 2>&1 &
        pause=$!
        refused 1 'silent.*(timeout|timed out|too slow)|too slow' hod --registry-timeout 2s pull -q "$(at open)/silent/x:silent"
        if wait "$slow"; then fail 'the slow one was taken'; fi
        if wait "$pause"; then fail 'the silent one was taken'; fi
        is "$(wc -l <"$T/slow")" 1
        is "$(wc -l <"$T/pause")" 1
        like "$(cat "$T/slow")" 'layer sha256:.*too slow'
        like "$(cat "$T/pause")" 'layer sha256:'
        requests_forget
        good pause
        resumed
}

# interrupted BEHAVIOUR: Ctrl-C while its server lets us wait.
interrupted() {
        local pid before status=0
        before=$(shown)
        # A job of a shell without job control ignores SIGINT from its birth: python gives it back.
        python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$HOD_BIN/hod" pull -q "$(at open)/$1/x:int$1" >"$T/int" 2>&1 &
        pid=$!
        eventually 5 eval "requests '.path | contains(\"$1/x/$2\")' | grep -q ."
        sleep 0.2
        kill -INT "$pid"
        wait "$pid" || status=$?
        is "$status" 130 "status of $1"
        like "$(cat "$T/int")" '^.?hod: interrupted: what was received is kept for the next pull$'
        # shellcheck disable=SC2016
        eventually 3 eval '[[ -z $(ours) ]]'
        is "$(shown)" "$before" "after Ctrl-C in $1"
}

@test "Ctrl-C at each step: a clear line, nothing half made, the next pull goes on" {
        interrupted pause blobs
        requests_forget
        good intpause
        resumed
        is "$(hod images -q "$(at open)/pause/x")" ''
        interrupted silentconfig blobs
        good intsilentconfig
        interrupted silent manifests
}

@test "Ctrl-C while run pulls: one line, status 130" {
        run python3 -c 'import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
p = subprocess.Popen(sys.argv[2:], start_new_session=True)
end = time.monotonic() + 40
while sys.argv[1] not in open(os.environ["T"] + "/hostile/log").read() and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.2)
os.killpg(p.pid, signal.SIGINT)
sys.exit(p.wait())' silent/x/manifests/run "$HOD_BIN/hod" run --rm --quiet "$(at open)/silent/x:run" true
        is "$status" 130
        is "$output" 'hod: interrupted: what was received is kept for the next pull'
}

@test "kill -9 in the middle of a pull: the next one goes on" {
        local pid
        hod pull -q "$(at open)/pause/x:killed" >/dev/null 2>&1 &
        pid=$!
        eventually 5 eval "find '$HOD_ROOT/partial' -type f -size +100k | grep -q ."
        kill -9 "$pid" # the function's shell; hod itself:
        kill_ours
        requests_forget
        good killed
        resumed
}

@test "a full disk: one line, and room helps" {
        local small=$T/small size
        mkdir "$small"
        mount -t tmpfs -o size=1m none "$small"
        for size in 1m 1800k; do # not room enough for the blob; not for the tree beside it
                mount -o remount,size=$size "$small"
                refused 1 'No space left' hod --root "$small/root" --state "$small/state" pull -q "$(at open)/good/x:full"
                is "$(find "$small"/root/{partial,blobs,layers,tmp} -type f)" ''
        done
        mount -o remount,size=20m "$small"
        hod --root "$small/root" --state "$small/state" pull -q "$(at open)/good/x:full" >/dev/null
        is "$(hod --root "$small/root" --state "$small/state" images -q | wc -l)" 1
        umount "$small"
}

@test "86: malformed layers leak nothing" {
        local before n
        before=$(shown)
        for n in {0..7}; do
                ! hod pull -q "$(at open)/badlayer/x:$n" >/dev/null 2>&1 || fail "layer $n was taken"
        done
        is "$(shown)" "$before"
        is "$(ours)" ''
}

@test "91: content that has another digest is never used: first, at the end, continued, by mount, damaged here" {
        local name where
        refuses flipped 'layer'
        refuses flippedend 'layer'
        # continued: the first half is right, the second is not
        refused 1 'layer' hod pull -q "$(at open)/stuck/x:continued"
        refused 1 'layer' hod pull -q "$(at open)/flippedend/x:continued"
        good continued
        # damaged on our disk: refused by us, whatever the registry thinks of it, and nothing gets its name there
        python3 "$BATS_TEST_DIRNAME/archive.py" "$T/damaged/" 'layout(named(image([tar({"f": os.urandom(900000)})]), "damaged"))'
        hod load -qi "$T/damaged" >/dev/null
        name=sha256:$(find "$T/damaged/blobs/sha256" -size +800k -printf %f)
        printf X | dd of="$HOD_ROOT/blobs/sha256/${name#sha256:}" bs=1 seek=500000 conv=notrunc status=none
        for where in honest gullible; do
                hod tag damaged "$(at open)/$where/pushed:1"
                requests_forget
                refused 1 "blob $name is damaged here: its content is sha256:" hod push -q "$(at open)/$where/pushed:1"
                is "$(requests '.method == "PUT" and (.path | contains("/manifests/"))')" ''
        done
        # ... and removed by a repair, after which it can be had again
        hod system check --repair >/dev/null
        [[ ! -e $HOD_ROOT/blobs/sha256/${name#sha256:} ]]
        hod load -qi "$T/damaged" >/dev/null
        hod push -q "$(at open)/honest/pushed:1"
        hod rmi damaged "$(at open)/honest/pushed:1" "$(at open)/gullible/pushed:1" >/dev/null
        rm -r "$T/damaged"
}

@test "92: a document that could be an index as well as a manifest is refused" {
        refuses both 'index as well as a manifest'
        refuses nomediatype 'index as well as a manifest'
        refuses wrongtype 'calls itself'
        refuses cases 'layers'
        refuses duplicate 'twice'
}

@test "93: a flipped byte is found on every way: tag, digest, member of an index, mirror, continued" {
        local d
        refuses wrongmanifest 'sha256'
        refuses badchild 'sha256'
        refuses flippedconfig 'sha256'
        d=$(hod pull "$(at open)/good/x:93" | sed -n 's/^Digest: //p')
        hod rmi "$(at open)/good/x:93" >/dev/null
        is "$(hod pull -q "$(at open)/good/x@$d")" "$(at open)/good/x@$d"
        hod rmi "$(at open)/good/x@$d" >/dev/null
        refused 1 'manifest' hod pull -q "$(at open)/good/x@${d:0:70}0"
        refused 1 'layer sha256' hod --registry-mirror "http://$(at open)" pull -q flipped/x:93
        is "$(hod --registry-mirror "http://$(at open)" pull -q good/x:93)" docker.io/good/x:93
        hod rmi good/x:93 >/dev/null
}

@test "97: credentials do not follow a redirect to another host, nor go to the urls of foreign layers" {
        local kind
        requests_forget
        for kind in basic token; do
                hod pull -q --creds u:secret-pw "$(at $kind)/away/x:$kind" >/dev/null
                hod rmi "$(at $kind)/away/x:$kind" >/dev/null
        done
        is "$(requests '.host == "other"' | wc -l)" 2
        is "$(requests '.host == "other" and .auth != null' | wc -l)" 0
        hod pull -q "$(at open)/foreignurls/x:97" >/dev/null 2>&1 && hod rmi "$(at open)/foreignurls/x:97" >/dev/null
        is "$(requests '.path == "/layer"' | wc -l)" 0
}

@test "97: a client's certificate goes to the registry, not to where that sends us" {
        local pull=(hod pull -q --cert-dir "$T/certs")
        requests_forget
        "${pull[@]}" "$(at tls)/away/x:cert" >/dev/null
        is "$(requests '.host == "tls"' | jq .cert | sort -u)" true
        is "$(requests '.host == "tlsother"' | jq .cert)" false
        hod tag busybox "$(at tls)/foreignloc/x:cert"
        requests_forget
        hod push -q --cert-dir "$T/certs" "$(at tls)/foreignloc/x:cert" >/dev/null
        is "$(requests '.host == "tls"' | jq .cert | sort -u)" true
        is "$(requests '.host == "tlsother"' | jq .cert | sort -u)" false
        hod rmi "$(at tls)/away/x:cert" "$(at tls)/foreignloc/x:cert" >/dev/null
}

@test "99: a missing credential helper is an error before any request; no secret is shown" {
        requests_forget
        printf '{"credHelpers":{"%s":"not-there"}}' "$(at basic)" >"$DOCKER_CONFIG/config.json"
        refused 1 'docker-credential-not-there' hod pull -q "$(at basic)/good/x:99"
        rm "$DOCKER_CONFIG/config.json"
        is "$(requests '.auth != null' | wc -l)" 0
        unlike "$(hod -D pull -q --creds u:secret-wrong "$(at basic)/good/x:99" 2>&1)" 'secret-wrong|dTpzZWNyZXQt'
        unlike "$(hod -D pull -q --creds u:secret-wrong "$(at token)/good/x:99" 2>&1)" 'secret-wrong|dTpzZWNyZXQt'
}

@test "100: a token server elsewhere gets no password" {
        requests_forget
        refused 1 'another host, tokens.example' hod pull -q --creds u:secret-pw "$(at foreignrealm)/good/x:100"
        refused 1 'https' hod pull -q --creds u:secret-pw "$(at oddrealm)/good/x:100"
        refused 1 'user name or a password' hod pull -q --creds u:secret-pw "$(at userrealm)/good/x:100"
        is "$(requests '.auth != null' | wc -l)" 0
        # the control: one's own
        is "$(hod pull -q --creds u:secret-pw "$(at token)/good/x:100")" "$(at token)/good/x:100"
        hod rmi "$(at token)/good/x:100" >/dev/null
}

@test "101: an upload that is sent to another host goes without credentials" {
        local kind
        for kind in basic token; do
                hod tag busybox "$(at $kind)/foreignloc/$kind:1"
                requests_forget
                hod push -q --creds u:secret-pw "$(at $kind)/foreignloc/$kind:1" >/dev/null 2>&1 || true
                is "$(requests '.host == "other" and .auth != null' | wc -l)" 0
                [[ $(requests '.host == "other"' | wc -l) -gt 0 ]]
                hod rmi "$(at $kind)/foreignloc/$kind:1" >/dev/null
        done
}

@test "push: failures are told, a broken upload is begun again" {
        local b before
        before=$(shown)
        for b in readonly badmanifest status403 uploadfull; do
                hod tag busybox "$(at open)/$b/p:1"
                refused 1 'unsupported|invalid|denied|403|no space left' hod push -q "$(at open)/$b/p:1"
                hod rmi "$(at open)/$b/p:1" >/dev/null
        done
        hod tag busybox "$(at open)/status403/p:1"
        refused 1 'denied: requested access to the resource is denied' hod push -q "$(at open)/status403/p:1"
        hod rmi "$(at open)/status403/p:1" >/dev/null
        hod tag busybox "$(at open)/uploaddrop/p:1"
        hod push -q "$(at open)/uploaddrop/p:1"
        hod rmi "$(at open)/uploaddrop/p:1" >/dev/null
        is "$(shown)" "$before"
}

@test "push: a registry that wants pieces gets them, and the blob is read on, not again from its start" {
        python3 "$BATS_TEST_DIRNAME/archive.py" "$T/large/" 'layout(named(image([tar({"f": os.urandom(45000000)})]), "large"))'
        hod load -qi "$T/large" >/dev/null
        hod tag large "$(at open)/pieces/large:1"
        requests_forget
        strace -f -qq -e trace=lseek -o "$T/seeks" "$HOD_BIN/hod" push -q "$(at open)/pieces/large:1" >/dev/null
        is "$(requests '.method == "PATCH" and .status == 202' | wc -l)" 3
        is "$(grep -cE 'lseek\([0-9]*, 0, SEEK_SET(\) *= 0| <unfinished)' "$T/seeks")" 3 # the config; the layer, whole and in pieces
        hod rmi large "$(at open)/pieces/large:1" >/dev/null
        rm -r "$T/large"
}
