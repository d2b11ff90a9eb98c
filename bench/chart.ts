/** A chart of horizontal bars as SVG: a line a subject, ours in colour, legible on a light and on a dark page. */

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The value in words. */
  readonly label: string;
  readonly ours: boolean;
}

const [rowHeight, nameWidth, barWidth, labelWidth] = [26, 300, 420, 120];
const colours = { ours: "#2f6fde", other: "#9aa4b2", text: "#57606a" } as const;

/** Bars from nought; with `logarithmic` each step of ten is as long as the one before, from the least value on. */
export function barChart(title: string, bars: readonly Bar[], logarithmic = false): string {
  const [least, most] = [Math.min, Math.max].map((of) => of(...bars.map(({ value }) => value)));
  const scale = (value: number) => {
    if (least === undefined || most === undefined) return 0;
    if (!logarithmic) return value / most * barWidth;
    return 4 + Math.log(value / least) / Math.log(most / least) * (barWidth - 4);
  };
  const width = nameWidth + barWidth + labelWidth;
  const height = 34 + bars.length * rowHeight;
  const rows = bars.map(({ name, value, label, ours }, at) => {
    const y = 34 + at * rowHeight;
    const bar = scale(value).toFixed(1);
    const middle = y + rowHeight / 2;
    return `<text x="${nameWidth - 8}" y="${middle}" text-anchor="end" dominant-baseline="central" ` +
      `font-weight="${ours ? "bold" : "normal"}">${escaped(name)}</text>` +
      `<rect x="${nameWidth}" y="${y + 4}" width="${bar}" height="${rowHeight - 8}" rx="2" fill="${
        ours ? colours.ours : colours.other
      }"/>` +
      `<text x="${nameWidth + Number(bar) + 6}" y="${middle}" dominant-baseline="central">${
        escaped(label)
      }</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `font-family="system-ui, sans-serif" font-size="13" fill="${colours.text}" role="img">\n` +
    `<title>${escaped(title)}</title>\n<text x="0" y="16" font-weight="bold">${escaped(title)}</text>\n` +
    `${rows.join("\n")}\n</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
