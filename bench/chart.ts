/**
 * The picture: bars for each workload, as an SVG that needs nothing. Time is shown where requests cost 20 ms each, as on the
 * way to a database in another place; CPU where they cost nothing. Measures nothing.
 *
 * @module
 */
import { type Line, short } from "./report.ts";
import { type Kind, KINDS } from "./workloads.ts";

/** Bars are drawn up to so many times the baseline's, and broken off there. */
const CUT = 6;
const COLUMNS = 2;
const PANEL = 520;
const BAR = 16;
const NAME = 82;
const LENGTH = 270;

const COLOURS: Readonly<Record<string, string>> = {
  raw: "#8b949e",
  Ledge: "#1f6feb",
  Drizzle: "#a8b3bd",
  Kysely: "#a8b3bd",
  MikroORM: "#a8b3bd",
  Prisma: "#a8b3bd",
};

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .head { font-size: 16px; font-weight: 600 }
  .work { font-weight: 600 }
  .note { fill: #59636e }
  .ground { fill: #ffffff }
  .break { stroke: #ffffff; stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .ground { fill: #0d1117 }
    .break { stroke: #0d1117 }
  }`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** One workload: a bar for each contender, the baseline's a sixth of the longest. */
function panel(lines: readonly Line[], of: "wall" | "cpu", x: number, y: number): string {
  const base = lines.find(({ ratio }) => ratio === undefined) ?? lines[0]!;
  const { work, title } = lines[0]!;
  const parts = [`<text class="work" x="${x}" y="${y + 12}">${work} ${escape(title)}</text>`];
  lines.forEach((line, i) => {
    const top = y + 22 + i * (BAR + 4);
    const times = line[of].median / base[of].median;
    const width = Math.max(2, Math.min(times, CUT) / CUT * LENGTH).toFixed(1);
    const colour = COLOURS[line.contender] ?? "#a8b3bd";
    const label = of === "wall"
      ? `${short(line.wall.median)} ms, ${line.requests.median} request${line.requests.median === 1 ? "" : "s"}`
      : `${short(line.cpu.median)} µs`;
    parts.push(
      `<text x="${x}" y="${top + 12}">${escape(line.contender)}</text>`,
      `<rect x="${x + NAME}" y="${top}" width="${width}" height="${BAR}" rx="2" fill="${colour}"/>`,
    );
    const end = x + NAME + Number(width);
    if (times > CUT) {
      parts.push(`<line class="break" x1="${end - 22}" y1="${top + BAR + 1}" x2="${end - 14}" y2="${top - 1}"/>`);
    }
    parts.push(`<text class="note" x="${end + 6}" y="${top + 12}">${label}</text>`);
  });
  return parts.join("\n");
}

/** All panels of one measure, in columns below a heading. Gives the SVG and where it ends. */
function section(lines: readonly Line[], of: "wall" | "cpu", head: string, y: number): { svg: string; end: number } {
  const parts = [`<text class="head" x="16" y="${y + 16}">${escape(head)}</text>`];
  const works = [...new Set(lines.map(({ work }) => work))];
  let top = y + 34;
  for (let i = 0; i < works.length; i += COLUMNS) {
    const row = works.slice(i, i + COLUMNS).map((work) => lines.filter((line) => line.work === work));
    row.forEach((own, column) => parts.push(panel(own, of, 16 + column * PANEL, top)));
    top += 34 + Math.max(...row.map((own) => own.length)) * (BAR + 4);
  }
  return { svg: parts.join("\n"), end: top + 12 };
}

/** The picture of these lines: one kind of database, time at the greatest latency and CPU at the least. */
export function picture(lines: readonly Line[], kind: Kind = "libsql"): string {
  const own = lines.filter((line) => line.kind === kind);
  const latencies = own.map(({ latency }) => latency);
  const [least, greatest] = [Math.min(...latencies), Math.max(...latencies)];
  const at = (latency: number) => own.filter((line) => line.latency === latency);
  const first = section(at(greatest), "wall", `${KINDS[kind]}: time with ${greatest} ms added to each request`, 12);
  const second = section(at(least), "cpu", `${KINDS[kind]}: CPU of the client for each entity`, first.end);
  const width = 32 + COLUMNS * PANEL;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${second.end}" viewBox="0 0 ${width} ${second.end}">
<style>${STYLE}</style>
<rect class="ground" width="${width}" height="${second.end}"/>
${first.svg}
${second.svg}
</svg>
`;
}
