/* login.h - who we are for a registry: log in, log out. Nothing here needs the store. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "registry/auth.h"
#include "registry/client.h"

/* The registry that @text means ("https://reg.example:5000/v2/" → "reg.example:5000"; NULL, "" and docker's own names →
 * "docker.io"); owned. ERR_INVALID. */
MUST_USE err *login_server(const char *text, char **ret);
/* How people see it: "https://index.docker.io/v1/" for docker.io, else itself; borrowed. */
const char *login_server_shown(const char *server);
/* What is stored for @server; empty if nothing. */
MUST_USE err *login_existing(const struct registry_options *o, const char *server, struct auth_credentials *ret);
/* Ask the server whether @user and @password are right, and keep them. @ret_file: the file that they are in
 * unencrypted, NULL when a credential helper has them; owned. ERR_DENIED "login attempt to URL failed with status: 401
 * Unauthorized", "unauthorized: ..."; ERR_NETWORK. */
MUST_USE err *login(const struct registry_options *o, const char *server, const char *user, const char *password,
                    char **ret_file);
/* The same with what is stored already, which stays as it is. */
MUST_USE err *login_again(const struct registry_options *o, const char *server, const struct auth_credentials *c);
/* Erase what is stored. */
MUST_USE err *login_forget(const struct registry_options *o, const char *server);
