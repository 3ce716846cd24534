/* template_node.h - tokens and the syntax tree of templates; shared by template*.c only. Names follow Go's
 * text/template/parse, so that the two can be compared. */
#pragma once

#include "codec/template.h"

#define TEMPLATE_MAX_TEXT (64u << 10)
#define TEMPLATE_MAX_DEPTH 100u
#define TEMPLATE_MAX_STEPS 1000000u
#define TEMPLATE_MAX_OUTPUT (64u << 20)

enum token_type {
        T_ERROR, /* text is the message */
        T_EOF,
        T_TEXT,
        T_LEFT,  /* {{ */
        T_RIGHT, /* }} */
        T_SPACE,
        T_ASSIGN,  /* = */
        T_DECLARE, /* := */
        T_PIPE,
        T_LEFT_PAREN,
        T_RIGHT_PAREN,
        T_CHAR, /* any other character, a comma for instance */
        T_BOOL,
        T_CHAR_CONSTANT,
        T_NUMBER,
        T_STRING,
        T_RAW_STRING,
        T_VARIABLE,
        T_FIELD,
        T_IDENTIFIER,
        T_DOT,
        T_KEYWORD, /* this and all below are words */
        T_NIL,
        T_IF,
        T_ELSE,
        T_END,
        T_RANGE,
        T_WITH,
        T_BREAK,
        T_CONTINUE,
        T_UNSUPPORTED, /* define, block, template */
};

struct token {
        enum token_type type;
        unsigned pos, line;
        const char *text; /* in the template's text; of T_ERROR: in `message` */
        size_t size;
};

struct token_list {
        struct token *tokens;
        size_t n;
        char message[160]; /* of the T_ERROR that ends the list */
};

/* Split @text; the list always ends with T_EOF or T_ERROR. Only ERR_NOMEM is returned. */
MUST_USE err *template_lex(const char *text, size_t size, struct token_list *ret);

/* ---- literals ---- */

/* What stands between the quotes of a string, raw string or character, escapes resolved; appended. False: there is an
 * escape that Go does not know. */
bool template_literal_text(const struct token *t, struct str *out);
/* The one character of UTF-8 that @data is; or the one byte that was written as an escape (@escaped). False: it is
 * none, or several. */
bool template_literal_rune(const char *data, size_t size, bool escaped, uint32_t *ret);
/* Decimal, 0x, 0b, 0o and 0 for octal, "_" anywhere. False: no integer. *@overflow is set when it has no 64 bits. */
bool template_literal_integer(const char *s, int64_t *ret, bool *overflow);
/* Go's %q of @size bytes. */
void template_quote(struct str *out, const char *text, size_t size);

enum node_type {
        N_TEXT,
        N_ACTION,
        N_IF,
        N_RANGE,
        N_WITH,
        N_BREAK,
        N_CONTINUE,
        N_PIPE,
        N_COMMAND,
        N_FIELD,    /* .A.B */
        N_VARIABLE, /* $x.A.B: the first name is "$x" */
        N_CHAIN,    /* (pipe).A.B */
        N_DOT,
        N_NIL,
        N_LITERAL, /* string, number, bool */
        N_IDENTIFIER,
};

struct node {
        enum node_type type;
        unsigned pos;
        struct node *next;  /* sibling */
        struct node *first; /* N_PIPE: commands; N_COMMAND: words; N_CHAIN: what is in front */
        struct node *pipe;  /* N_ACTION, N_IF, N_RANGE, N_WITH */
        struct node *body, *otherwise;
        char **names; /* N_FIELD, N_VARIABLE, N_CHAIN; N_PIPE: declared variables */
        char *text;   /* N_TEXT; N_LITERAL: as written; N_IDENTIFIER */
        size_t size;  /* of N_TEXT */
        json *literal;
        bool assign;            /* N_PIPE: = and not := */
        struct node *allocated; /* all nodes, for freeing */
};

struct template
{
        char *name, *text;
        struct node *body;
        struct node *allocated;
};

/* The source form that Go shows in "at <...>". */
void template_node_text(const struct node *n, struct str *out);

/* ---- execution ---- */

struct value {
        json *j;                  /* NULL is null; borrowed: from the document, or kept by the state until the end */
        bool missing;             /* a map has no such key: prints <no value> */
        const char *key, *parent; /* names of the members that led here, for struct template_types; or NULL */
};

struct variable {
        const char *name;
        struct value value;
};

struct state {
        const struct template *t;
        const struct template_options *options;
        const struct node *at; /* being evaluated: named in errors */
        json *root;
        json *made; /* array that keeps what functions made */
        struct str *out;
        struct variable *variables;
        size_t n_variables;
        unsigned steps;
        enum { RUN, BREAK, CONTINUE } control;
};

/* Hand a fresh node over to the state. NULL is out of memory. */
MUST_USE err *template_keep(struct state *s, json *j, struct value *ret);

enum template_hint { HINT_NONE, HINT_MAP, HINT_SLICE };
/* What Go's type is where the JSON does not tell (null, or an object that is a struct). */
enum template_hint template_hint(const struct state *s, const struct value *v);
/* Member @name of @object, or an element of @array, with what leads to its hint. */
struct value template_member(const struct state *s, const struct value *object, const char *name);
struct value template_element(json *j);
/* May @object lack @name because that is its zero value? @ret_text: the empty string; else nil. */
bool template_optional(const struct state *s, const struct value *object, const char *name, bool *ret_text);

/* What `if` asks: Go's truth. */
bool template_true(const struct state *s, const struct value *v);
/* Go's %v; @top: as an action prints it. */
void template_print_value(const struct state *s, const struct value *v, bool top, struct str *out);
const char *template_go_type(const struct value *v);
/* Keys of an object, sorted, NULL-terminated; the array is to be freed, the strings are borrowed. NULL: out of memory.
 */
const char **template_sorted_keys(const json *object);
/* Go's fmt.Sprintf and Sprint. */
MUST_USE err *template_printf(const struct state *s, const struct value *args, size_t n, struct str *out);
void template_sprint(const struct state *s, const struct value *args, size_t n, bool line, struct str *out);

struct function {
        const char *name;
        unsigned min, max; /* number of arguments; UINT_MAX: any */
        /* Kinds of the arguments, the last one for all others: v anything, s string, i integer, l list of strings. */
        const char *kinds;
        /* The error is a plain message, to be put behind "error calling NAME: ". NULL: and, or (not all arguments are
         * evaluated). */
        err *(*call)(struct state *s, const struct value *args, size_t n, struct value *ret);
};
/* NULL when there is none of this name. */
const struct function *template_function(const char *name, size_t size);
