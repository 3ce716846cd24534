/* Unit tests of codec/template. Where a text is an error of Go or output of docker it was taken from a recording
 * (reference/golden) or from Go's source. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/template.h"

static const char document[] =
        "{\"Id\":\"abc\",\"Name\":\"/"
        "rich\",\"State\":{\"Status\":\"running\",\"Running\":true,\"ExitCode\":0,\"Pid\":42,"
        "\"Health\":null},"
        "\"Config\":{\"Labels\":{\"lab\":\"val\",\"Cmd\":\"x\"},\"Env\":[\"A=b\",\"C=d "
        "e\"],\"Cmd\":[\"sh\"],\"Entrypoint\":null,"
        "\"Volumes\":null,\"ExposedPorts\":{\"80/tcp\":{}},\"StopTimeout\":null},"
        "\"HostConfig\":{\"Memory\":9007199254740993,\"NanoCpus\":1500000000,\"CpuShares\":0,\"LogConfig\":{\"Type\":"
        "\"json-file\","
        "\"Config\":{}},\"Ratio\":0.5,\"Big\":1e21,\"Tiny\":0.00001,\"Hundred\":1e2},"
        "\"Mounts\":[{\"Type\":\"bind\",\"Destination\":\"/a\",\"RW\":true},{\"Type\":\"volume\",\"Destination\":\"/"
        "b\",\"RW\":false}],"
        "\"NetworkSettings\":{\"Networks\":{\"z\":{\"IPAddress\":\"10.0.0.2\",\"Aliases\":null},\"a\":{\"IPAddress\":"
        "\"10.0.0.1\","
        "\"Aliases\":[\"x\"]}},\"Ports\":{\"99/"
        "tcp\":null}},\"Empty\":\"\",\"Args\":[],\"L\":[3,1,2],\"Str\":\"h\xc3\xa9llo w\",\"Html\":\"<&>\"}";

static json *doc(void)
{
        json *j = NULL;

        assert_null(json_parse(document, sizeof(document) - 1, &j));
        return j;
}

static void run_with(const char *text, const struct template_options *o, const char *want, const char *want_error)
{
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_json_ json *j = doc();
        _cleanup_str_ struct str out = {0};
        char buf[1024] = "";
        err *e;

        e = template_parse("", text, &t);
        if (!e)
                e = template_execute(t, j, o, &out);
        err_text(e, buf, sizeof(buf));
        err_free(e);
        if (strcmp(buf, want_error ? want_error : "") != 0)
                fail_msg("%s\n got error: %s\n want:      %s\n output: %s", text, buf, want_error ? want_error : "",
                         str_text(&out));
        if (strcmp(str_text(&out), want) != 0)
                fail_msg("%s\n got:  %s\n want: %s", text, str_text(&out), want);
}

static const struct template_options typed = {.types = &template_docker_types};

static void run(const char *text, const char *want)
{
        run_with(text, &typed, want, NULL);
}

static void fails(const char *text, const char *want_error)
{
        run_with(text, &typed, "", want_error);
}

static void template_execute_reads_fields(void **state)
{
        run("", "");
        run("plain } { text", "plain } { text");
        run("{{.Name}}", "/rich");
        run("{{.State.Status}} tty={{.State.Running}} {{.State.ExitCode}}", "running tty=true 0");
        run("{{ .HostConfig.Memory }}", "9007199254740993");
        run("{{.HostConfig.Ratio}} {{.HostConfig.Big}} {{.HostConfig.Tiny}} {{.HostConfig.Hundred}}",
            "0.5 1e+21 1e-05 100");
        run("{{json .Config.Labels}}", "{\"lab\":\"val\",\"Cmd\":\"x\"}");
        run("{{json .Html}} {{.Html}} {{html .Html}}", "\"<&>\" <&> &lt;&amp;&gt;");
        run("{{.Config.Env}} {{.Args}} {{.L}}", "[A=b C=d e] [] [3 1 2]");
        run("{{.Config.Labels}}", "map[Cmd:x lab:val]");
        run("{{.Config.ExposedPorts}} {{.NetworkSettings.Ports}}", "map[80/tcp:{}] map[99/tcp:[]]");
        run("{{.HostConfig.LogConfig}}", "{json-file map[]}");
        run("{{(index .Mounts 0).Destination}} {{(index .Mounts 1).Type}}", "/a volume");
        run("{{.NetworkSettings.Networks.a.IPAddress}}", "10.0.0.1");
        run("{{$.Name}} {{with .State}}{{.Pid}} {{$.Id}}{{end}}", "/rich 42 abc");
}

static void template_execute_prints_null_by_type(void **state)
{
        static const struct template_options row = {.type_name = "*formatter.ContainerContext"};

        run("{{.Config.Entrypoint}} {{.Config.Volumes}} {{.Config.StopTimeout}} {{.State.Health}}",
            "[] map[] <nil> <nil>");
        run_with("{{.Config.Entrypoint}} {{.State.Health}}", NULL, "<no value> <no value>", NULL);
        run_with("{{.Config.Entrypoint}}", &row, "<nil>", NULL);
        run("{{json .Config.Volumes}} {{json nil}}", "null null");
        run("{{.Config.Labels.nosuch}}", "<no value>");
        run("{{index .Config.Labels \"nosuch\"}}|{{index .Config.Labels \"lab\"}}", "|val");
        run("{{print nil}}", "<nil>");
}

static void template_execute_tells_missing_fields_like_docker(void **state)
{
        struct template_options ps = {.type_name = "*formatter.ContainerContext"};

        fails("{{.Nosuch}}", "template: :1:2: executing \"\" at <.Nosuch>: map has no entry for key \"Nosuch\"");
        fails("{{.State.Nosuch}}",
              "template: :1:8: executing \"\" at <.State.Nosuch>: map has no entry for key \"Nosuch\"");
        run_with("{{.Name}}-{{.State.Nosuch}}", &typed, "/rich-",
                 "template: :1:18: executing \"\" at <.State.Nosuch>: map has no entry for key \"Nosuch\"");
        run_with("{{.Nosuch}}", &ps, "",
                 "template: :1:2: executing \"\" at <.Nosuch>: can't evaluate field Nosuch in type "
                 "*formatter.ContainerContext");
        run_with("{{.Name}} {{.Id}} {{.Empty}} {{.MemLimit}}", &ps, "/rich abc  ",
                 "template: :1:31: executing \"\" at <.MemLimit>: can't evaluate field MemLimit in type "
                 "*formatter.ContainerContext");
        run_with(" {{.Nosuch}}", &typed, " ",
                 "template: :1:3: executing \"\" at <.Nosuch>: map has no entry for key \"Nosuch\"");
}

static void template_parse_fails_like_go(void **state)
{
        fails("{{.Name", "template: :1: unclosed action");
        fails("{{bogus .Names}}", "template: :1: function \"bogus\" not defined");
        fails("a\n\n{{.Name", "template: :3: unclosed action");
        fails("{{.Name\n\n", "template: :3: unclosed action started at :1");
        fails("{{}}", "template: :1: missing value for command");
        fails("{{if .x}}", "template: :1: unexpected EOF");
        fails("{{end}}", "template: :1: unexpected {{end}}");
        fails("{{else}}", "template: :1: unexpected {{else}}");
        fails("{{if .x}}{{else}}{{else}}{{end}}", "template: :1: expected end; found {{else}}");
        fails("{{\"abc}}", "template: :1: unterminated quoted string");
        fails("{{`abc}}", "template: :1: unterminated raw quoted string");
        fails("{{'abc}}", "template: :1: unterminated character constant");
        fails("{{$x}}", "template: :1: undefined variable \"$x\"");
        fails("{{(.Name}}", "template: :1: unclosed left paren");
        fails("{{.Name)}}", "template: :1: unexpected right paren");
        fails("{{range}}{{end}}", "template: :1: missing value for range");
        fails("{{if}}{{end}}", "template: :1: missing value for if");
        fails("{{.a@}}", "template: :1: bad character U+0040 '@'");
        fails("{{\x01}}", "template: :1: unrecognized character in action: U+0001");
        fails("{{1x}}", "template: :1: bad number syntax: \"1x\"");
        fails("{{99999999999999999999}}", "template: :1: integer overflow: \"99999999999999999999\"");
        fails("{{/* c }}", "template: :1: unclosed comment");
        fails("{{/* c */ x}}", "template: :1: comment ends before closing delimiter");
        fails("{{.Name | 1}}", "template: :1: non executable command in pipeline stage 2");
        fails("{{\"a\".Name}}", "template: :1: unexpected . after term \"\\\"a\\\"\"");
        fails("{{break}}", "template: :1: {{break}} outside {{range}}");
        fails("{{template \"x\"}}", "template: :1: {{template}} is not supported");
        fails("{{.a =}}", "template: :1: unexpected \"=\" in operand");
        fails("{{$a, $b := .L}}{{end}}", "template: :1: too many declarations in command");
        fails("{{\"\\z\"}}", "template: :1: invalid syntax");
}

static void template_execute_fails_like_go(void **state)
{
        fails("{{index .L 5}}",
              "template: :1:2: executing \"\" at <index .L 5>: error calling index: index out of range: 5");
        fails("{{len .State.Pid}}",
              "template: :1:2: executing \"\" at <len .State.Pid>: error calling len: len of type int");
        fails("{{.Name.X}}", "template: :1:7: executing \"\" at <.Name.X>: can't evaluate field X in type string");
        fails("{{.State.Health.Status}}",
              "template: :1:8: executing \"\" at <.State.Health.Status>: nil pointer evaluating interface {}.Status");
        fails("{{nil}}", "template: :1:2: executing \"\" at <nil>: nil is not a command");
        fails("{{1 2}}", "template: :1:2: executing \"\" at <1>: can't give argument to non-function 1");
        fails("{{lower}}", "template: :1:2: executing \"\" at <lower>: wrong number of args for lower: want 1 got 0");
        fails("{{lower 1}}", "template: :1:8: executing \"\" at <1>: expected string; found 1");
        fails("{{lower .State.Pid}}",
              "template: :1:14: executing \"\" at <.State.Pid>: wrong type for value; expected string; got int");
        fails("{{eq 1}}", "template: :1:2: executing \"\" at <eq>: wrong number of args for eq: want at least 2 got 1");
        fails("{{eq 1 \"a\"}}",
              "template: :1:2: executing \"\" at <eq 1 \"a\">: error calling eq: incompatible types for comparison");
        fails("{{lt true false}}",
              "template: :1:2: executing \"\" at <lt true false>: error calling lt: invalid type for comparison");
        fails("{{range .Name}}{{end}}", "template: :1:8: executing \"\" at <.Name>: range can't iterate over /rich");
        fails("{{.Name 1}}", "template: :1:2: executing \"\" at <.Name>: Name is not a method but has arguments");
        run_with("a\n{{.X}}", &typed, "a\n", "template: :2:2: executing \"\" at <.X>: map has no entry for key \"X\"");
}

static void template_execute_controls_flow(void **state)
{
        run("{{range .Mounts}}{{.Type}} {{.Destination}};{{end}}", "bind /a;volume /b;");
        run("{{range $k,$v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}} {{json $v.Aliases}};{{end}}",
            "a=10.0.0.1 [\"x\"];z=10.0.0.2 null;");
        run("{{range $i, $e := .L}}{{$i}}{{$e}} {{end}}", "03 11 22 ");
        run("{{range $e := .L}}{{$e}}{{end}}{{range .Args}}x{{else}}none{{end}}", "312none");
        run("{{range .Config.Volumes}}x{{else}}none{{end}}", "none");
        run("{{range 3}}{{.}}{{end}}", "012");
        run("{{range .L}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}} {{range .L}}{{if eq . "
            "1}}{{break}}{{end}}{{.}}{{end}}",
            "32 3");
        run("{{if .Empty}}a{{else if .Name}}b{{else}}c{{end}}", "b");
        run("{{if .Empty}}a{{else if .Args}}b{{else}}c{{end}}", "c");
        run("{{with .Empty}}a{{else with .Name}}{{.}}{{end}}", "/rich");
        run("{{with $x := .Name}}{{$x}}{{end}}", "/rich");
        run("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2");
        run("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1");
        run("{{if .State}}s{{end}}{{if .Config.Volumes}}v{{end}}{{if .State.ExitCode}}x{{end}}{{if not "
            ".HostConfig.CpuShares}}n{{end}}",
            "sn");
}

static void template_execute_trims(void **state)
{
        run("a  {{- .Id -}}  b", "aabcb");
        run("a \n {{- /* c */ -}} \n b", "ab");
        run("a {{/* c */}} b", "a  b");
        run("{{3 -}} x", "3x");
        run("{{- 3}}", "3");
        run("{{-3}}", "-3");
        run("{{ .Id\n}}", "abc");
}

static void template_execute_calls_functions(void **state)
{
        run("{{len .Mounts}} {{len .Name}} {{len .Config.Labels}} {{len .Config.Entrypoint}}", "2 5 2 0");
        run("{{index .L 1}} {{index .Mounts 0 \"Type\"}} {{index .Config.Env 1}}", "1 bind C=d e");
        run("{{slice .Name 1}} {{slice .Name 1 3}} {{slice .L 1}}", "rich ri [1 2]");
        run("{{eq 1 2 1}} {{eq \"a\" .Id}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1.5 1}} {{ge \"a\" \"b\"}} {{eq "
            ".State.Health nil}}",
            "true false true true true true false true");
        run("{{and 1 0 .Nosuch}} {{or 0 \"\" 3}} {{and 1 2}} {{not true}} {{and .Id | len}}", "0 3 2 false 3");
        run("{{print 1 2 \"x\" 3 4}} {{println \"a\" 1}}", "1 2x3 4 a 1\n");
        run("{{print .Id .Name}}|{{\"x\" | printf \"%s-%s\" \"y\"}}", "abc/rich|y-x");
        run("{{printf \"%d %5d|%-5d|%05d %x %q %v %.2f %t %%\" 7 7 7 7 255 .Name .L 1.5 true}}",
            "7     7|7    |00007 ff \"/rich\" [3 1 2] 1.50 true %");
        run("{{printf \"%6s|%-6s|%.2s|%c|%b|%o\" .Str \"ab\" .Str 65 5 8}}",
            "h\xc3\xa9llo w|ab    |h\xc3\xa9|A|101|10");
        run("{{printf \"%d %s\" \"a\"}} {{printf \"%d\" 1 2}} {{printf \"%\"}}",
            "%!d(string=a) %!s(MISSING) 1%!(EXTRA int=2) %!(NOVERB)");
        run("{{upper .Name}} {{lower \"ABC\"}} {{title \"hello big-world\"}} {{pad \"p4\" 1 2}}| {{truncate .Name 3}}",
            "/RICH abc Hello Big-World  p4  | /ri");
        run("{{join (split \"a,b,c\" \",\") \"|\"}} {{split \"ab\" \"\"}} {{join .Config.Env \" \"}}|{{join .Args "
            "\",\"}}",
            "a|b|c [a b] A=b C=d e|");
        run("{{urlquery \"a b&c/\"}}", "a+b%26c%2F");
        run("{{.Name | upper | printf \"%s!\"}}", "/RICH!");
        run("{{`raw\\n`}} {{\"\\t\\x41\\u00e9\\101\"}} {{'a'}} {{0x10}} {{1_000}} {{-1}} {{1e3}} {{true}}",
            "raw\\n \tA\xc3\xa9"
            "A 97 16 1000 -1 1000 true");
        run("{{(len .L) | printf \"%d\"}} {{printf \"%d\" (len .L)}}", "3 3");
}

static err *label(void *ctx, const json *root, const char *name, json *const *args, size_t n, json **ret, bool *found)
{
        *found = strcmp(name, "Label") == 0 && n == 1;
        if (*found)
                *ret = json_new_str(json_get_str_or(json_path(root, "Config.Labels"), json_str(args[0]), ""));
        return NULL;
}

static void template_execute_calls_methods(void **state)
{
        struct template_options o = {.type_name = "*formatter.ContainerContext", .method = label};

        run_with("{{.Label \"lab\"}} {{\"lab\" | .Label}} {{.Label \"none\"}}|{{if true}}{{$.Label \"lab\"}}{{end}}",
                 &o, "val val |val", NULL);
        run_with("{{.Labels \"lab\"}}", &o, "",
                 "template: :1:2: executing \"\" at <.Labels>: can't evaluate field Labels in type "
                 "*formatter.ContainerContext");
}

static void template_bounds_work_and_nesting(void **state)
{
        _cleanup_str_ struct str deep = {0}, out = {0};
        struct template *t = NULL;
        err *e;

        for (int i = 0; i < 101; i++)
                str_add(&deep, "{{if 1}}");
        e = template_parse("", deep.data, &t);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
        deep.len = 0;
        str_add(&deep, "{{");
        for (int i = 0; i < 101; i++)
                str_add(&deep, "(");
        e = template_parse("", deep.data, &t);
        assert_non_null(e);
        err_free(e);
        assert_null(template_parse("", "{{range 100000}}{{range 100000}}x{{end}}{{end}}", &t));
        e = template_execute(t, NULL, NULL, &out);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
        template_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(template_execute_reads_fields),
                cmocka_unit_test(template_execute_prints_null_by_type),
                cmocka_unit_test(template_execute_tells_missing_fields_like_docker),
                cmocka_unit_test(template_parse_fails_like_go),
                cmocka_unit_test(template_execute_fails_like_go),
                cmocka_unit_test(template_execute_controls_flow),
                cmocka_unit_test(template_execute_trims),
                cmocka_unit_test(template_execute_calls_functions),
                cmocka_unit_test(template_execute_calls_methods),
                cmocka_unit_test(template_bounds_work_and_nesting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
