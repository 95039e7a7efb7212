// Markup as strings, with no DOM: `html` escapes what it is given, unless that is markup itself.
import { percentage, superscripts } from '../terminal.js';

/** Text that is markup already. */
export class Markup {
  constructor(readonly text: string) {}
}

type Value = Markup | readonly Markup[] | string | number;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function toText(value: Value): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(({ text }) => text).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character]!);
}

/** Fills a template; strings and numbers are escaped. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + toText(values[i - 1]!) + part));
}

/** A number with the thousands set off. */
export function thousands(value: number): string {
  return value.toLocaleString('en');
}

/** A share of 1 as a percentage with one digit. 99.96 % is not 100 %. */
export function share(value: number): string {
  return percentage(value < 1 ? Math.min(0.999, value) : value, 1);
}

/** Text with its superscript characters as superscripts proper: few fonts have all of these characters. */
export function raised(text: string): Markup {
  const lowered = (part: string): string => part.replace(/./g, (sign) => '−0123456789'[superscripts.indexOf(sign)]!);
  const parts = text.split(new RegExp(`([${superscripts}]+)`)); // every second one is raised
  return html`${parts.map((part, i) => (i % 2 === 0 ? html`${part}` : html`<sup>${lowered(part)}</sup>`))}`;
}

/** A coordinate with as many digits as can be seen. */
export function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}
