/** The line of an edge: from border to border, slightly bent, so that lines of opposite directions do not coincide. Pure. */
import type { Rectangle } from './nodes.ts';

export interface Curve {
  /** Data of an SVG path. */
  path: string;
  /** Middle of the line, for its text. */
  labelX: number;
  labelY: number;
}

type Point = readonly [x: number, y: number];

const centreOf = ({ x, y, width, height }: Rectangle): Point => [x + width / 2, y + height / 2];

/** Where the line from the centre to a point crosses the border; the centre itself for a point inside. */
function borderPoint(rectangle: Rectangle, [x, y]: Point): Point {
  const [centreX, centreY] = centreOf(rectangle);
  const [dx, dy] = [x - centreX, y - centreY];
  const part = Math.min(rectangle.width / 2 / Math.abs(dx || 1e-9), rectangle.height / 2 / Math.abs(dy || 1e-9));
  return part >= 1 ? [centreX, centreY] : [centreX + dx * part, centreY + dy * part];
}

const bend = 0.12;

export function planCurve(from: Rectangle, to: Rectangle): Curve {
  const [startX, startY] = borderPoint(from, centreOf(to));
  const [endX, endY] = borderPoint(to, centreOf(from));
  const [middleX, middleY] = [(startX + endX) / 2, (startY + endY) / 2];
  const [bentX, bentY] = [middleX - (endY - startY) * bend, middleY + (endX - startX) * bend];
  const text = (...values: number[]): string => values.map((value) => Math.round(value * 10) / 10).join(' ');
  return {
    path: `M${text(startX, startY)} Q${text(bentX, bentY, endX, endY)}`,
    // A quadratic curve passes half way between its control point and the middle of its ends.
    labelX: (middleX + bentX) / 2,
    labelY: (middleY + bentY) / 2,
  };
}
