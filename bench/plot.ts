import type { Chart, Curve } from './growth.js';

// Seen on white and on black alike: nothing is drawn behind, and all colours are of a middle lightness.
const GREY = '#808890';
const COLOURS = ['#2f81f7', '#e0663a', '#2da44e'];

const PANEL = { width: 300, height: 250 };
const MARGIN = { top: 34, right: 28, bottom: 92, left: 52 };

/** The charts side by side, on logarithmic axes. */
export function svgOf(charts: readonly Chart[]): string {
  const outer = {
    width: PANEL.width + MARGIN.left + MARGIN.right,
    height: PANEL.height + MARGIN.top + MARGIN.bottom,
  };
  const panels = charts.map(
    (chart, index) =>
      `<g transform="translate(${index * outer.width + MARGIN.left} ${MARGIN.top})">\n${panel(chart)}\n</g>`,
  );
  const [width, height] = [outer.width * charts.length, outer.height];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="${GREY}">
<title>How the work grows with jobs and instances</title>
${panels.join('\n')}
</svg>
`;
}

function panel({ title, x, curves }: Chart): string {
  const points = curves.flatMap((curve) => curve.points);
  const across = axis(points.map((point) => point.x));
  const up = axis(points.map((point) => point.y));
  const px = (value: number): number => round(across.part(value) * PANEL.width);
  const py = (value: number): number => round((1 - up.part(value)) * PANEL.height);
  const parts = [
    `<text x="-40" y="-16" font-size="13" font-weight="600">${escaped(title)}</text>`,
    ...across.decades.map(
      (value) => `<path d="M${px(value)} 0V${PANEL.height}" stroke="${GREY}" stroke-opacity="0.25"/>
<text x="${px(value)}" y="${PANEL.height + 16}" text-anchor="middle">${label(value)}</text>`,
    ),
    ...up.decades.map(
      (value) => `<path d="M0 ${py(value)}H${PANEL.width}" stroke="${GREY}" stroke-opacity="0.25"/>
<text x="-6" y="${py(value) + 4}" text-anchor="end">${label(value)}</text>`,
    ),
    `<text x="${PANEL.width}" y="${PANEL.height + 32}" text-anchor="end">${escaped(x)}</text>`,
    ...curves.map((curve, index) => line(curve, index, px, py)),
  ];
  return parts.join('\n');
}

function line(
  { name, points, exponent }: Curve,
  index: number,
  px: (value: number) => number,
  py: (value: number) => number,
): string {
  const colour = COLOURS[index % COLOURS.length] ?? GREY;
  const path = points.map((point, at) => `${at === 0 ? 'M' : 'L'}${px(point.x)} ${py(point.y)}`).join('');
  const dots = points.map((point) => `<circle cx="${px(point.x)}" cy="${py(point.y)}" r="3"/>`).join('');
  const height = PANEL.height + 50 + index * 16;
  const growth = Number.isFinite(exponent) ? `, grows as n^${exponent.toFixed(2)}` : '';
  return `<g fill="${colour}"><path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}
<rect x="0" y="${height - 9}" width="10" height="10"/></g><text x="16" y="${height}">${escaped(name)}${growth}</text>`;
}

/** A logarithmic axis, from one power of ten to another. */
function axis(values: readonly number[]): { part: (value: number) => number; decades: number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  return {
    part: (value) => (Math.log10(value) - low) / (high - low),
    decades: Array.from({ length: high - low + 1 }, (_none, index) => 10 ** (low + index)),
  };
}

function label(value: number): string {
  return value < 1 ? String(value) : value.toLocaleString('en');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
