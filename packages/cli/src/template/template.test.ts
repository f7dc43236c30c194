import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TemplateError } from './error.ts';
import { compileTemplate } from './evaluate.ts';

const data = {
  Name: '/web',
  State: { Running: true, Pid: 4711 },
  Env: ['A=1', 'B=2'],
  Ports: { '80/tcp': [{ HostPort: '8801' }], '53/udp': null },
  Labels: { b: '2', a: '1' },
  Nothing: null,
  Label: (name: string) => `label ${name}`,
};

const cases: [string, string][] = [
  ['plain', 'plain'],
  ['{{.Name}} {{.State.Pid}}', '/web 4711'],
  ['{{json .Labels}}', '{"b":"2","a":"1"}'],
  ['{{.Labels}} {{.Env}} {{.State.Running}} {{.Nothing}}', 'map[a:1 b:2] [A=1 B=2] true <no value>'],
  ['{{range .Env}}[{{.}}]{{end}}', '[A=1][B=2]'],
  ['{{range $i, $e := .Env}}{{if $i}}, {{end}}{{$e}}{{end}}', 'A=1, B=2'],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
  ['{{range .Nothing}}x{{else}}none{{end}}', 'none'],
  ['{{range .Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}', 'A=1'],
  ['{{range .Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{end}}', 'B=2'],
  ['{{if .Nothing}}a{{else if .State.Running}}b{{else}}c{{end}}', 'b'],
  ['{{with .State}}{{.Pid}}{{end}}{{with .Nothing}}x{{else}}y{{end}}', '4711y'],
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8801'],
  ['{{index .Labels "none"}}|{{index .Env 1}}', '|B=2'],
  ['{{$x := .State}}{{$x.Pid}} {{$.Name}}', '4711 /web'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}', '2'],
  ['{{.Name | printf "%q" | upper}}', '"/WEB"'],
  ['{{printf "%05d|%-6s|%6s|%.1f|%v%%" 42 "ab" "cd" 1.25 .Env}}', '00042|ab    |    cd|1.3|[A=1 B=2]%'],
  ['{{len .Env}} {{len .Name}} {{slice .Name 1 3}}', '2 4 we'],
  ['{{and 1 0}} {{or 0 "x"}} {{not true}} {{and .State.Running (not .Nothing)}}', '0 x false true'],
  ['{{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{ge "b" "a"}}', 'true true true true'],
  [
    '{{join .Env ","}} {{split "a:b" ":"}} {{title "abc def"}} {{lower "AB"}} {{pad "x" 1 2}}|',
    'A=1,B=2 [a b] Abc Def ab  x  |',
  ],
  ['{{truncate "abcdef" 3}}{{println "a" 1}}{{print 1 2 "x" 3}}', 'abca 1\n1 2x3'],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* nothing */}}x{{- /* here */ -}} y', 'xy'],
  ['{{.Label "x"}} {{`raw "text"`}} {{"\\t\\u00fc"}}', 'label x raw "text" \tü'],
  ['{{html "<a>&\\""}}', '&lt;a&gt;&amp;&#34;'],
];

for (const [template, expected] of cases) {
  test(template, () => assert.equal(compileTemplate(template)(data), expected));
}

test('syntax errors are reported when a template is parsed, others when it is executed', () => {
  const parse = [
    '{{',
    '{{end}}',
    '{{if .A}}',
    '{{foo}}',
    '{{.A',
    '{{"x}}',
    '{{.A}} {{else}}',
    '{{range}}',
    '{{(.A}}',
    '{{.A )}}',
  ];
  for (const template of parse) {
    assert.throws(
      () => compileTemplate(template),
      (error) => error instanceof TemplateError && error.phase === 'parse',
      template,
    );
  }
  const run = [
    '{{.Nope}}',
    '{{.Name.X}}',
    '{{.Nothing.X}}',
    '{{index .Env 9}}',
    '{{len 5}}',
    '{{range true}}{{end}}',
    '{{lt 1 "a"}}',
  ];
  for (const template of run) {
    const render = compileTemplate(template);
    assert.throws(
      () => render(data),
      (error) => error instanceof TemplateError && error.phase === 'execute',
      template,
    );
  }
});

test('inherited members of JavaScript objects are not fields', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    assert.throws(() => compileTemplate(`{{.${name}}}`)({}), /map has no entry/);
  }
  assert.throws(() => compileTemplate('{{constructor}}'), /function "constructor" not defined/);
});
