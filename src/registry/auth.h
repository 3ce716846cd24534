/* auth.h - who we are for a registry: WWW-Authenticate, Basic, and tokens of docker's and OAuth2's kind.
 *
 * Where a password may go (docs/decisions/0022-where-passwords-go.md): to the registry itself, or to a token server on
 * the same host or of the same domain, by https unless the registry itself is spoken to without. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "registry/http.h"

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
        enum auth_scheme scheme;
        char *realm, *service, *scope, *error; /* what was not given is NULL */
};
void auth_challenge_done(struct auth_challenge *c);
#define _cleanup_challenge_ __attribute__((cleanup(auth_challenge_done)))
/* Read one WWW-Authenticate value, which may hold several challenges, and keep the best (Bearer before Basic) in *@ret,
 * unless there is already as good a one. Nothing usable leaves it as it is. ERR_INVALID for what cannot be read. */
MUST_USE err *auth_parse(const char *value, struct auth_challenge *ret);

/* May a password for the registry at @origin be sent to @realm? ERR_DENIED with the reason. @allowed: further hosts. */
MUST_USE err *auth_check_realm(const char *origin, const char *realm, char *const *allowed);

struct auth_credentials {
        char *user, *password;
        char *identity; /* token in place of both; NULL */
};
void auth_credentials_done(struct auth_credentials *c);
/* A copy of each member; @ret is to be done(). */
MUST_USE err *auth_credentials_copy(const struct auth_credentials *c, struct auth_credentials *ret);
#define _cleanup_credentials_ __attribute__((cleanup(auth_credentials_done)))

/* The state with one registry. */
struct auth;
/* @credentials are moved. @allowed is borrowed. */
MUST_USE err *auth_new(const char *origin, const struct auth_challenge *c, struct auth_credentials *credentials,
                       char *const *allowed, struct auth **ret);
void auth_free(struct auth *a);
DEFINE_CLEANUP(struct auth *, auth_free)
/* For login. Take others (moved), forget the tokens and ask for an identity token from now on. */
void auth_set_credentials(struct auth *a, struct auth_credentials *credentials);
bool auth_has_credentials(const struct auth *a);
enum auth_scheme auth_scheme(const struct auth *a);
/* Value for Authorization (owned; NULL = none): a token for @scope (fetched through @http unless there is one that is
 * still good), or Basic. @scope NULL: a token without. ERR_DENIED "no basic auth credentials". */
MUST_USE err *auth_authorize(struct auth *a, struct http *http, const char *scope, char **ret);
/* The last answer was 401: forget the token for @scope. False if there are no tokens. */
bool auth_renew(struct auth *a, const char *scope, const char *challenge);
/* An identity token that the token server gave, borrowed; NULL. */
const char *auth_identity(const struct auth *a);
