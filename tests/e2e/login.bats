#!/usr/bin/env bats
# login, logout, search; what hod trusts, and where passwords go. Registries: Debian's docker-registry, and index.py.

load lib

setup_file() {
        e2e_setup none
        mkdir "$T/bin" "$T/index" "$T/reg" "$T/tls"
        # u, pw
        # shellcheck disable=SC2016
        printf '%s\n' 'u:$2y$05$vMRhch9PDjWC/WIA7mUS0OV3mKKu/DFQQuQFbE9wnhMOs02It.kd2' >"$T/htpasswd"
        certificates
        start_registry plain REGISTRY_AUTH_HTPASSWD_REALM=test REGISTRY_AUTH_HTPASSWD_PATH="$T/htpasswd"
        start_registry tls REGISTRY_HTTP_TLS_CERTIFICATE="$T/tls/good.crt" REGISTRY_HTTP_TLS_KEY="$T/tls/good.key"
        mkfifo "$T/index/stdin"
        # Each of the two waits for the other to open it.
        python3 "$BATS_TEST_DIRNAME/index.py" "$T/index" <"$T/index/stdin" >"$T/index/out" 2>&1 3>&- 4>&- &
        echo $! >>"$T/pids"
        sleep 600 >"$T/index/stdin" 2>/dev/null 3>&- 4>&- &
        echo $! >>"$T/pids"
        for _ in {1..600}; do
                [[ ! -s $T/index/port || ! -s $T/reg/plain || ! -s $T/reg/tls ]] || return 0
                sleep 0.05
        done
        return 1
}
teardown_file() {
        stop_all
        rm -rf "$T/reg" "$T/index" "$T/work/.docker"
        e2e_teardown
}
setup() {
        rm -rf "$HOME/.docker" "$HOME/.config"
        export PATH=$T/bin:$PATH XDG_RUNTIME_DIR=$T/run
        unset DOCKER_CONFIG DOCKER_AUTH_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME
        : >"$T/index/log"
}

# --- servers

# Nothing of bats' may stay open in them: its own end would wait for that.
background() {
        "$@" 3>&- 4>&- &
        echo $! >>"$T/pids"
}
stop_all() {
        local pid
        [[ -n ${T-} && -e $T/pids ]] || return 0
        while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$T/pids"
        rm -f "$T/pids"
}

# start_registry NAME VARIABLE...: its port, when it is there, in $T/reg/NAME.
start_registry() {
        local name=$1
        shift
        printf '%s\n' 'version: 0.1' 'log: {level: info}' "storage: {filesystem: {rootdirectory: $T/reg/data-$name}}" \
                'http: {addr: "127.0.0.1:0"}' >"$T/reg/$name.yml"
        background env "$@" docker-registry serve "$T/reg/$name.yml" >"$T/reg/$name.log" 2>&1
        for _ in {1..600}; do
                if grep -q 'listening on 127.0.0.1:[0-9]*[^0-9]' "$T/reg/$name.log"; then
                        sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' "$T/reg/$name.log" | head -n 1 >"$T/reg/$name"
                        return 0
                fi
                sleep 0.05
        done
        cat "$T/reg/$name.log" >&2
        return 1
}

# certificate NAME SUBJECTALTNAME [openssl option...]: signed by the CA.
certificate() {
        local name=$1 names=$2
        shift 2
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/$name.key" -out "$T/tls/$name.csr" -subj "/CN=$name" 2>/dev/null
        printf 'subjectAltName=%s\n' "$names" >"$T/tls/ext"
        openssl x509 -req -in "$T/tls/$name.csr" -CA "$T/tls/ca.crt" -CAkey "$T/tls/ca.key" -set_serial $((RANDOM + 1)) \
                -extfile "$T/tls/ext" -out "$T/tls/$name.crt" "$@" 2>/dev/null
}
certificates() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/ca.key" -out "$T/tls/ca.crt" -days 2 -subj /CN=hod-test-ca \
                -addext basicConstraints=critical,CA:TRUE 2>/dev/null
        certificate good IP:127.0.0.1,DNS:localhost -days 2
        certificate name DNS:elsewhere.test -days 2
        certificate old IP:127.0.0.1 -days -1
        certificate weak IP:127.0.0.1 -days 2 -sha1
}

plain() { printf '127.0.0.1:%s' "$(cat "$T/reg/plain")"; }
tls() { printf '127.0.0.1:%s' "$(cat "$T/reg/tls")"; }
index() { printf '127.0.0.1:%s' "$(cat "$T/index/port")"; }
config() { cat "$HOME/.docker/config.json"; }

# --- login and logout

@test "login: docker's words, and docker's file" {
        local r
        r=$(plain)
        run --separate-stderr hod login "$r" </dev/null
        [ "$status" = 1 ] && [[ $stderr == *"Cannot perform an interactive login from a non TTY device"* ]]
        run --separate-stderr hod login -u u -p wrong "$r"
        [ "$status" = 1 ]
        [[ $stderr == "WARNING! Using --password via the CLI is insecure. Use --password-stdin."*"login attempt to http://$r/v2/ failed with status: 401 Unauthorized" ]]
        [ ! -e "$HOME/.docker/config.json" ]
        run --separate-stderr hod login -u u --password-stdin "$r" <<<pw
        [ "$status" = 0 ] && [ "$output" = "Login Succeeded" ]
        [[ $stderr == *"WARNING! Your credentials are stored unencrypted in '$HOME/.docker/config.json'."* ]]
        [ "$(config)" = "$(printf '{\n\t"auths": {\n\t\t"%s": {\n\t\t\t"auth": "dTpwdw=="\n\t\t}\n\t}\n}' "$r")" ]
        [ "$(stat -c %a "$HOME/.docker/config.json")" = 600 ]
        [ "$(stat -c %a "$HOME/.docker")" = 700 ]
        run --separate-stderr hod login "http://$r/v2/" </dev/null
        [ "$status" = 0 ] && [ "$output" = "Login Succeeded" ]
        [[ $stderr == "Authenticating with existing credentials... [Username: u]"* ]]
        run --separate-stderr hod logout "$r"
        [ "$status" = 0 ] && [ "$output" = "Removing login credentials for $r" ] && [ -z "$stderr" ]
        [ "$(jq -c . "$HOME/.docker/config.json")" = '{"auths":{}}' ]
        run hod logout "$r"
        [ "$status" = 0 ]
        run hod logout
        [ "$output" = "Removing login credentials for https://index.docker.io/v1/" ]
}

@test "login: flags that contradict each other, and a server that is not there" {
        run hod login --password-stdin 127.0.0.1:1 <<<x
        [ "$status" = 1 ] && [[ $output == *"the --password-stdin option requires --username to be set" ]]
        run hod login -u u -p a --password-stdin 127.0.0.1:1 <<<x
        [ "$status" = 1 ] && [[ $output == *"conflicting options: cannot specify both --password and --password-stdin" ]]
        run hod login -u u -p p 127.0.0.1:1
        [ "$status" = 1 ]
        [[ $output == *'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused' ]]
        run hod login -u u -p p 'bad host'
        [ "$status" = 1 ]
        run hod login -u u --password-stdin 127.0.0.1:1 </dev/null
        [ "$status" = 1 ] && [[ $output == *"Password Required" ]]
        run hod --registry-timeout 0s login
        [ "$status" = 125 ] || [ "$status" = 1 ]
}

@test "login: on a terminal the password is asked for and not shown" {
        run python3 "$BATS_TEST_DIRNAME/terminal.py" -e Username: -s 'u\r' -e Password: -s 'pw\r' -- "$HOD_BIN/hod" login "$(plain)"
        [ "$status" = 0 ]
        output=${output//"$T"/} # whose letters are random
        [[ $output == *"Login Succeeded"* && $output != *pw* ]]
        run python3 "$BATS_TEST_DIRNAME/terminal.py" -e Password: -s 'p\x03' -- "$HOD_BIN/hod" login -u u "$(plain)"
        [ "$status" = 130 ]
}

@test "login: --authfile is another file, and the only one" {
        local r
        r=$(plain)
        hod login --authfile "$T/work/new/auth.json" -u u --password-stdin "$r" <<<pw
        [ "$(stat -c %a "$T/work/new/auth.json")" = 600 ]
        [ ! -e "$HOME/.docker/config.json" ]
        run hod login --authfile "$T/work/new/auth.json" "$r" </dev/null
        [ "$status" = 0 ]
        REGISTRY_AUTH_FILE=$T/work/new/auth.json run hod login "$r" </dev/null
        [ "$status" = 0 ]
        run hod login "$r" </dev/null
        [ "$status" = 1 ]
        hod logout --authfile "$T/work/new/auth.json" "$r"
        [ "$(jq -c .auths "$T/work/new/auth.json")" = '{}' ]
        rm -r "$T/work/new"
}

@test "login: a link is followed, the rest of the file is kept" {
        mkdir -p "$HOME/.docker" "$HOME/elsewhere"
        echo '{"psFormat":"x","auths":{"other.test":{"auth":"eDp5"}}}' >"$HOME/elsewhere/c.json"
        ln -s ../elsewhere/c.json "$HOME/.docker/config.json"
        hod login -u u --password-stdin "$(plain)" <<<pw
        [ -L "$HOME/.docker/config.json" ]
        [ "$(jq -c '[.psFormat, .auths["other.test"].auth, (.auths | length)]' "$HOME/elsewhere/c.json")" = '["x","eDp5",2]' ]
        rm -r "$HOME/elsewhere"
}

@test "login: several at once lose nothing" {
        local r pids=() i
        r=$(plain)
        for i in "$r" "localhost:${r#*:}" "$(index)" "localhost:$(cat "$T/index/port")"; do
                background hod login --authfile "$T/work/many.json" -u u -p "$([[ $i == *"${r#*:}" ]] && echo pw || echo marker-password)" \
                        "$i" >"$T/work/out.${#pids[@]}" 2>&1
                pids+=("$(tail -n 1 "$T/pids")")
        done
        for i in "${pids[@]}"; do
                while [[ -e /proc/$i ]]; do sleep 0.05; done
        done
        [ "$(jq '.auths | length' "$T/work/many.json")" = 4 ]
        rm -f "$T/work/many.json" "$T"/work/out.*
}

# --- tokens and helpers

@test "login: a token server's identity token is kept in place of the password" {
        local r
        r=$(index)
        run hod login -u u -p wrong "$r"
        [ "$status" = 1 ] && [[ $output == *"unauthorized: incorrect username or password" ]]
        hod login -u u --password-stdin "$r" <<<marker-password
        [ "$(jq -r ".auths[\"$r\"].identitytoken" "$HOME/.docker/config.json")" = marker-identity ]
        run config
        [[ $output != *"$(printf u:marker-password | base64)"* ]]
        : >"$T/index/log"
        hod login "$r" </dev/null
        run cat "$T/index/log"
        [[ $output == *POST*grant_type=refresh_token* && $output != *Basic* ]]
}

helper() {
        cat >"$T/bin/docker-credential-test" <<-'END'
		#!/bin/sh
		store=$HOME/helper-store
		echo "$# $1" >>"$HOME/helper-calls"
		tr '\0' '\n' </proc/$$/environ >>"$HOME/helper-calls"
		case $1 in
		store) cat >"$store" ;;
		get) read -r s; if [ -s "$store" ]; then cat "$store"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
		erase) rm -f "$store" ;;
		esac
		END
        chmod 755 "$T/bin/docker-credential-test"
        mkdir -p "$HOME/.docker"
}

@test "login: a credential helper keeps the password, which is no argument of it (rows 99 and 128)" {
        local r
        r=$(plain)
        helper
        echo '{"credsStore":"test"}' >"$HOME/.docker/config.json"
        run --separate-stderr hod login -u u --password-stdin "$r" <<<pw
        [ "$status" = 0 ] && [ -z "$stderr" ]
        [ "$(jq -c . "$HOME/.docker/config.json")" = "{\"credsStore\":\"test\",\"auths\":{\"$r\":{}}}" ]
        [ "$(jq -r .Secret "$HOME/helper-store")" = pw ]
        DOCKER_AUTH_CONFIG='{"auths":{"x.test":{"auth":"bWFya2VyOm1hcmtlcg=="}}}' hod login "$r" </dev/null
        grep -q '^1 get$' "$HOME/helper-calls"
        run grep -c 'bWFya2Vy' "$HOME/helper-calls"
        [ "$output" = 0 ]
        hod logout "$r"
        [ ! -e "$HOME/helper-store" ]
        rm -f "$HOME"/helper-*
}

@test "login: a helper that is configured but missing: nothing is asked for, nobody is asked (row 99)" {
        local r
        r=$(index)
        mkdir -p "$HOME/.docker"
        echo '{"credHelpers":{"'"$r"'":"nosuch"}}' >"$HOME/.docker/config.json"
        run hod pull "$r/x"
        [ "$status" != 0 ]
        [[ $output == *'exec: "docker-credential-nosuch": executable file not found in '* ]]
        [ ! -s "$T/index/log" ]
}

@test "run: a credential helper may leave a program behind that goes on" {
        helper
        cat >"$T/bin/docker-credential-test" <<-'END'
		#!/bin/sh
		sleep 60 </dev/null >/dev/null 2>&1 4>&- &
		echo $! >"$HOME/helper-left"
		echo '{"Username":"u","Secret":"pw"}'
		END
        echo '{"credsStore":"test"}' >"$HOME/.docker/config.json"
        run timeout 40 "$HOD_BIN/hod" run --rm 127.0.0.1:1/x true
        kill "$(<"$HOME/helper-left")"
        rm -f "$HOME"/helper-*
        [ "$status" = 125 ]
        [[ $output == *'connection refused'* ]]
}

@test "login: no secret in messages, logs or arguments (row 128)" {
        local r
        r=$(index)
        hod -D login -u u --password-stdin "$r" <<<marker-password >"$T/work/out" 2>&1
        hod -D login "$r" </dev/null >>"$T/work/out" 2>&1
        hod -D --log-format json pull "$r/x" >>"$T/work/out" 2>&1 || true
        hod -D login -u u --password-stdin "$r" <<<marker-wrong >>"$T/work/out" 2>&1 || true
        grep -q /token "$T/work/out"
        run grep -ciE "marker|bearer [a-z]|basic [a-z]|$(printf u:marker-password | base64)" "$T/work/out"
        [ "$output" = 0 ]
        rm "$T/work/out"
}

# --- whom hod trusts

@test "tls: a certificate of nobody known is refused, whatever the way (row 150)" {
        local r command
        r=$(tls)
        for command in "login -u u -p p $r" "pull $r/x" "search $r/x"; do
                # shellcheck disable=SC2086
                run hod $command
                [ "$status" = 1 ]
                [[ $output == *"x509: certificate signed by unknown authority"* ]]
        done
        mkdir -p "$HOME/.config/docker/certs.d/$r"
        cp "$T/tls/ca.crt" "$HOME/.config/docker/certs.d/$r/ca.crt"
        hod login -u u -p p "$r"
        run hod pull "$r/x"
        [[ $output == *"manifest unknown"* ]]
        hod login -u u -p p "localhost:${r#*:}" && return 1
        rm -r "$HOME/.config"
        hod login --cert-dir "$T/tls-ca" -u u -p p "$r" && return 1
        mkdir "$T/tls-ca" && cp "$T/tls/ca.crt" "$T/tls-ca/"
        hod login --cert-dir "$T/tls-ca" -u u -p p "$r"
        hod login --tls-verify=false -u u -p p "$r"
        hod --insecure-registry "$r" login -u u -p p "$r"
        SSL_CERT_FILE=$T/tls/ca.crt hod login -u u -p p "$r"
}

@test "tls: wrong name, expired, SHA-1: refused (row 150)" {
        local name port want
        mkdir -p "$T/tls-ca" && cp "$T/tls/ca.crt" "$T/tls-ca/"
        for name in "name:not valid for" "old:has expired" "weak:x509"; do
                want=${name#*:}
                name=${name%%:*}
                port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
                background openssl s_server -accept "127.0.0.1:$port" -cert "$T/tls/$name.crt" -key "$T/tls/$name.key" \
                        -cipher 'ALL:@SECLEVEL=0' -www -quiet >/dev/null 2>&1
                for _ in {1..600}; do
                        # shellcheck disable=SC2188
                        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
                        sleep 0.05
                done
                run hod login --tls-verify --cert-dir "$T/tls-ca" -u u -p p "127.0.0.1:$port"
                [ "$status" = 1 ]
                [[ $output == *"$want"* ]]
        done
}

@test "tls: what does not speak it is not spoken to without, unless that was allowed (row 90)" {
        local r
        r=$(plain)
        # On an address that is not the loopback, in a network of its own: the first byte of each connection is written down.
        cat >"$T/work/first.py" <<-'END'
		import socket, subprocess, sys, threading
		out = open(sys.argv[1], "ab", buffering=0)
		server = socket.create_server(("192.0.2.1", 0))
		def serve():
		    while True:
		        c = server.accept()[0]
		        out.write(c.recv(1) or b"-")
		        c.close()
		threading.Thread(target=serve, daemon=True).start()
		place = "192.0.2.1:%d" % server.getsockname()[1]
		sys.exit(subprocess.run(sys.argv[2:] + [place + "/x"]).returncode)
		END
        run unshare -n sh -c 'ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec "$@"' sh \
                python3 "$T/work/first.py" "$T/work/first" "$HOD_BIN/hod" pull
        [ "$status" = 1 ]
        [ "$(od -An -tx1 -v "$T/work/first" | tr -d ' \n' | sed 's/16//g')" = "" ]
        [ -s "$T/work/first" ]
        rm "$T/work/first"
        run unshare -n sh -c 'ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec "$@"' sh \
                python3 "$T/work/first.py" "$T/work/first" "$HOD_BIN/hod" pull --tls-verify=false
        [[ $(od -An -c -v "$T/work/first") == *G* ]]
        rm "$T/work/first" "$T/work/first.py"
        # and on the loopback, where it is allowed, not against the flag
        run hod login --tls-verify -u u -p pw "$r"
        [ "$status" = 1 ]
        [[ $output == *"http: server gave HTTP response to HTTPS client"* ]]
}

# --- search

@test "search: docker's columns, filters, formats" {
        local r
        r=$(index)
        run hod search "$r/x"
        [ "$status" = 0 ]
        [ "${lines[0]}" = "NAME      DESCRIPTION                                     STARS     OFFICIAL" ] ||
                [[ ${lines[0]} =~ ^NAME\ +DESCRIPTION\ +STARS\ +OFFICIAL$ ]]
        [[ ${lines[1]} =~ ^many\ +x{44}…\ +500\ +\[OK\]$ ]]
        [[ ${lines[2]} =~ ^few\ +a\ b\ +3 ]]
        [[ $output != *$'\x1b'* ]]
        [[ $(tail -n 1 "$T/index/log") == *'/v1/search?q=x&n=25'* ]]
        run hod search --no-trunc --format '{{.Name}} {{.Description}} {{.StarCount}} {{.IsOfficial}}' --filter is-official=true "$r/x"
        [ "$output" = "many $(printf 'x%.0s' {1..60}) 500 [OK]" ]
        run hod search --filter stars=4 --format json "$r/x"
        [ "$(jq -r '.IsOfficial + .StarCount' <<<"$output")" = true500 ]
        run hod search --limit 1 --format '{{.Name}}' "$r/x"
        [ "$output" = few ]
        run hod search --limit 101 "$r/x"
        [ "$status" = 1 ] && [[ $output == *"limit 101 is outside the range of [1, 100]" ]]
        run hod search --filter x=y "$r/x"
        [ "$status" = 1 ] && [[ $output == *"invalid filter 'x'" ]]
        run hod search --filter stars=y "$r/x"
        [ "$status" = 1 ] && [[ $output == *"invalid filter 'stars=[y]'" ]]
        run hod search "https://$r/x"
        [ "$status" = 1 ]
}
