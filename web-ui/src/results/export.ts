// Reports as files: JUnit for build servers, HTML for people.

import type { Report, Run, RunOutcome } from "../api/types";
import { duration, exact } from "../app/format";
import { standing } from "./words";

/** What a report is about. `report` is missing of a run that is not over, or that never ran. */
export interface Reported {
  run: Run;
  report?: Report;
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for XML and HTML. Characters that XML 1.0 has no place for are replaced. */
export const escape = (text: string): string =>
  text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd").replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);

const GOOD: RunOutcome[] = ["agree", "passed"];

/** What was not as it should be, line by line. */
export function findings({ run, report }: Reported): string[] {
  const lines: string[] = [];
  if (run.reason) lines.push(run.reason);
  const reason = report?.case?.reason;
  if (reason && reason !== run.reason) lines.push(reason);
  for (const unmet of report?.unmet ?? report?.case?.unmet ?? []) lines.push(`not as expected: ${unmet}`);
  for (const { backend, error, skipped } of report?.case?.backends ?? []) {
    if (error) lines.push(`${backend}: ${error}`);
    if (skipped) lines.push(`${backend}, skipped: ${skipped}`);
  }
  const divergence = report?.case?.divergence;
  if (divergence) {
    lines.push(`event ${divergence.index} differs${divergence.fields.length > 0 ? ` in ${divergence.fields.join(", ")}` : ""}`);
    lines.push(`left:  ${line(divergence.left)}`, `right: ${line(divergence.right)}`);
  }
  return lines;
}

const line = (event: unknown): string =>
  event ? JSON.stringify(event, (_, value: unknown) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value)) : "no event";

const seconds = ({ run, report }: Reported): number => {
  const logs = report?.run.logs ?? [];
  if (logs.length > 0) return logs.reduce((sum, log) => sum + log.seconds, 0);
  return run.started_at && run.finished_at ? Math.max(0, Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000 : 0;
};

const status = (run: Run): "good" | "bad" | "error" | "skipped" => {
  if (run.state !== "finished") return run.state === "failed" ? "error" : "skipped";
  if (run.outcome && GOOD.includes(run.outcome)) return "good";
  return run.outcome === "skipped" || run.outcome === "poisoned" ? "skipped" : "bad";
};

/** A JUnit file: a test case a run. */
export function junit(name: string, reported: Reported[]): string {
  const number = (which: string) => reported.filter(({ run }) => status(run) === which).length;
  const total = reported.reduce((sum, each) => sum + seconds(each), 0);
  const attributes = `tests="${reported.length}" failures="${number("bad")}" errors="${number("error")}" skipped="${number("skipped")}" time="${total.toFixed(6)}"`;
  const cases = reported.map((each) => {
    const { run } = each;
    const text = findings(each).map(escape).join("\n");
    const word = escape(standing(run));
    const head = `    <testcase classname="lcd.${escape(run.kind)}" name="${escape(run.world)}" time="${seconds(each).toFixed(6)}"`;
    switch (status(run)) {
      case "good":
        return `${head}/>`;
      case "bad":
        return `${head}>\n      <failure message="${word}">${text}</failure>\n    </testcase>`;
      case "error":
        return `${head}>\n      <error message="${word}">${text}</error>\n    </testcase>`;
      case "skipped":
        return `${head}>\n      <skipped message="${[word, ...findings(each).map(escape)].join(": ").replaceAll("\n", "&#10;")}"/>\n    </testcase>`;
    }
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="lcd" ${attributes}>`,
    `  <testsuite name="${escape(name)}" ${attributes}>`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #8886;padding:.4rem .6rem;text-align:start;vertical-align:top}
pre{margin:0;overflow:auto;white-space:pre-wrap;font:13px/1.5 ui-monospace,monospace}.n{text-align:end;font-variant-numeric:tabular-nums}`;

/** A page for people that needs nothing beside it. */
export function html(title: string, reported: Reported[], about: string[]): string {
  const rows = reported.map((each) => {
    const { run, report } = each;
    const backends = (report?.run.logs ?? []).map((log) => `${log.backend} ${duration(log.seconds)}, ${log.events} events`).join("; ");
    const found = findings(each);
    return `<tr><td class="n">${run.id}</td><td>${escape(run.world)}</td><td>${escape(standing(run))}</td><td>${escape(backends || "–")}${report?.run.host_class ? ` on ${escape(report.run.host_class)}` : ""}</td><td>${found.length > 0 ? `<pre>${escape(found.join("\n"))}</pre>` : ""}</td></tr>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><style>${STYLE}</style></head>
<body><h1>${escape(title)}</h1>
${about.map((paragraph) => `<p>${escape(paragraph)}</p>`).join("\n")}
<table><thead><tr><th class="n">Run</th><th>World</th><th>Result</th><th>Backends</th><th>What was found</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>
<p>Written by lcd on ${escape(exact(new Date()))}.</p></body></html>
`;
}
