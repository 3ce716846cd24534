/* key.c - keys of a session keyring (keyrings(7)).
 *   key with PROGRAM ARG...   run it in a new session keyring that holds a key
 *   key find                  is that key within reach? "found" or "none" */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define JOIN_SESSION 1
#define SEARCH 10
#define SESSION (-3)
#define NAME "hod-test-key"

int main(int argc, char **argv)
{
        if (argc > 2 && strcmp(argv[1], "with") == 0) {
                if (syscall(SYS_keyctl, JOIN_SESSION, "hod-test", 0, 0, 0) < 0 ||
                    syscall(SYS_add_key, "user", NAME, "secret", 6, SESSION) < 0) {
                        perror("key");
                        return 1;
                }
                (void)execvp(argv[2], argv + 2);
                return 127;
        }
        (void)puts(syscall(SYS_keyctl, SEARCH, SESSION, "user", NAME, 0) < 0 ? "none" : "found");
        return 0;
}
