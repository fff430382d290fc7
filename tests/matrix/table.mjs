// Prints reports of tests/matrix/run as the tables of docs/consensus.md.
// usage: table.mjs REPORT...
import fs from 'node:fs';

const files = process.argv.slice(2);
if (files.length === 0 || files[0].startsWith('-')) {
    console.error('usage: table.mjs REPORT...');
    process.exit(2);
}
const reports = files.map((file) => JSON.parse(fs.readFileSync(file, 'utf8')))
    .flatMap((one) => one.runs ?? [one]); // a file may hold several
const report = { cases: reports.flatMap(({ cases }) => cases) };
const number = (value) => (value ?? 0).toLocaleString('en-US');
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const WORDS = { kill: 'kill -9', vanish: 'machine vanishes', stop: 'graceful stop', pause: 'pause' };

row('proposer', 'model, nodes', 'runs', 'p50', 'p99', 'worst', 'HAProxy p50', 'p99', 'worst');
row(...Array(9).fill('---'));
for (const one of report.cases.filter(({ gaps_nodes: gaps }) => gaps)) {
    const nodes = one.gaps_nodes, proxy = one.gaps_haproxy;
    row(WORDS[one.name] ?? one.name, `${one.model}, ${one.nodes}`, nodes.runs,
        ...[nodes, proxy].flatMap((gap) => [gap.p50_ms, gap.p99_ms, gap.worst_ms]));
}
console.log();
row('fault', 'crash, 3: nodes', 'HAProxy', 'byzantine, 4: nodes', 'HAProxy');
row(...Array(5).fill('---'));
const ways = new Map();
for (const one of report.cases) {
    for (const [way, gap] of Object.entries(one.gaps ?? {})) {
        if (!ways.has(way)) ways.set(way, {});
        ways.get(way)[one.model] = gap;
    }
}
for (const [way, { crash, byzantine }] of ways) {
    row(way, ...[crash, byzantine].flatMap((gap) => [gap?.nodes_ms ?? '', gap?.haproxy_ms ?? '']));
}
console.log();
row('model', 'cases', 'passed', 'acknowledged transactions', 'reads', 'connections', 'violations');
row(...Array(7).fill('---'));
for (const model of ['crash', 'byzantine']) {
    const cases = report.cases.filter((one) => one.model === model);
    const sum = (key) => number(cases.reduce((all, { history }) => all + (history?.[key] ?? 0), 0));
    const violations = cases.reduce((all, { history }) => all +
        Object.values(history?.violations ?? {}).reduce((a, b) => a + b, 0), 0);
    row(model, cases.length, cases.filter(({ passed }) => passed).length, sum('acknowledged'),
        sum('reads'), sum('connections'), violations);
}
