# registry.bash - registries for the tests: registry.py, which misbehaves on demand. (docker-registry: registry.bats.)
# shellcheck shell=bash

# hostile_start: registry.py with its files in $T/hostile. Before it, hostile_tls: TLS too; $T/certs is a --cert-dir that
# identifies us.
hostile_tls() {
        mkdir -p "$T/hostile" "$T/certs"
        (
                cd "$T/hostile" || exit
                key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
                openssl req -x509 "${key[@]}" -subj /CN=hod-test-ca -keyout ca.key -out ca.crt
                for name in server client; do
                        openssl req "${key[@]}" -subj /CN=$name -keyout $name.key -out $name.csr
                        openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -set_serial $((RANDOM + 1)) -days 2 -out $name.crt \
                                -extfile <(echo subjectAltName=IP:127.0.0.1,IP:127.0.0.2)
                done
                cat server.crt server.key >tls.pem
                cp ca.crt "$T/certs/ca.crt"
                cp client.crt "$T/certs/client.cert"
                cp client.key "$T/certs/client.key"
        ) >/dev/null 2>&1
}
hostile_start() {
        mkdir -p "$T/hostile"
        mkfifo "$T/hostile/stdin"
        # Nothing of bats' may stay open in it: its own end would wait for that.
        python3 "$BATS_TEST_DIRNAME/registry.py" "$T/hostile" <"$T/hostile/stdin" >"$T/hostile/out" 2>&1 3>&- 4>&- &
        echo $! >"$T/hostile/pid"
        sleep 600 >"$T/hostile/stdin" 2>/dev/null 3>&- 4>&- &
        echo $! >"$T/hostile/sleep"
        for _ in {1..600}; do
                [[ -e $T/hostile/ready ]] && return 0
                sleep 0.05
        done
        cat "$T/hostile/out" >&2
        return 1
}

hostile_stop() {
        [[ -n ${T-} && -e $T/hostile/sleep ]] || return 0
        kill "$(cat "$T/hostile/sleep")" "$(cat "$T/hostile/pid")" 2>/dev/null || true
        rm -rf "$T/hostile"
}

# at NAME: host and port of one of its ways to ask who is there.
at() { printf '127.0.0.1:%s' "$(cat "$T/hostile/$1")"; }
# requests FILTER: those that match the jq expression, one a line.
requests() { jq -c "select($1)" "$T/hostile/log"; }
requests_forget() { : >"$T/hostile/log"; }
