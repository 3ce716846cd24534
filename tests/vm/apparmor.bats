#!/usr/bin/env bats
# bats file_tags=vm
# process.apparmorProfile and exec --apparmor with an AppArmor that is on.

load vm
setup_file() {
        vm_setup_file
        for name in one two; do
                cat >"$T/$name" <<-END
			#include <tunables/global>
			profile hod-vm-$name flags=(attach_disconnected,mediate_deleted) {
			  file,
			  capability,
			  signal,
			  mount,
			  deny /secret-$name r,
			}
		END
                apparmor_parser -r -K "$T/$name"
        done
}
teardown_file() {
        apparmor_parser -R "$T/one" "$T/two"
        vm_teardown_file
}
setup() {
        vm_setup
        echo secret >rootfs/secret-one
        echo secret >rootfs/secret-two
}
teardown() { vm_teardown; }

@test "the profile is the process'; exec has it too, or its own" {
        spec '.process.args = ["sh", "-c", "cat /proc/1/attr/current /secret-two /secret-one; exec sleep 1000"]
                | .process.apparmorProfile = "hod-vm-one"'
        background c hodrun
        refuses() { grep -q "secret-one.*ermission denied" "$T/out"; }
        wait_until refuses
        is "$(head -n 2 "$T/out")" $'hod-vm-one (enforce)\nsecret'
        is "$(hodrun exec c cat /proc/self/attr/current)" "hod-vm-one (enforce)"
        run hodrun exec --apparmor hod-vm-two c cat /proc/self/attr/current /secret-one /secret-two
        contains "$output" $'hod-vm-two (enforce)\nsecret'
        contains "$output" "/secret-two': Permission denied"
        is "$(hodrun exec --apparmor unconfined c cat /proc/self/attr/current)" unconfined
}

@test "with no new privileges, a user, and a terminal's session: still confined" {
        spec '.process.args = ["cat", "/proc/self/attr/current"] | .process.apparmorProfile = "hod-vm-one"
                | .process.noNewPrivileges = true | .process.user = {uid: 5, gid: 5}'
        is "$(hodrun run c)" "hod-vm-one (enforce)"
}

@test "a profile that is not loaded is an error, also for exec" {
        spec '.process.args = ["echo", "unconfined"] | .process.apparmorProfile = "hod-vm-nosuch"'
        refused 'hod-vm-nosuch' hodrun run c
        contains_not "$output" $'\nunconfined'
        spec '.process.args = ["sleep", "1000"]'
        background c hodrun
        run hodrun exec --apparmor hod-vm-nosuch c echo unconfined
        ((status != 0))
        contains "$output" hod-vm-nosuch
        contains_not "$output" $'\nunconfined'
        is "$(hodrun features | jq .linux.apparmor.enabled)" true
}
