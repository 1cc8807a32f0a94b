// Numbers as people read them: few digits, always with their unit, and a dash where there is nothing to say.

export const NOTHING = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const there = (value) => value !== null && value !== undefined;

// Give a positive number with about three digits.
function digits(value) {
  if (value === 0) return "0";
  if (value >= 1e6) return compact.format(value);
  if (value >= 100) return whole.format(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}

// Give a figure without zeros at the end of its fraction, as a scale has it.
export const short = (text) => text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");

export const count = (value) => (there(value) ? whole.format(value) : NOTHING);

export const rate = (value) => (there(value) ? digits(value) : NOTHING);

export function percent(value) {
  if (!there(value)) return NOTHING;
  if (value > 0.999 && value < 1) return "> 99.9%";
  return value === 1 ? "100%" : `${(value * 100).toFixed(1)}%`;
}

const scaled = (value, steps) => {
  const [size, unit] = steps.find(([least]) => value >= least) ?? steps.at(-1);
  return `${digits(value / size)} ${unit}`;
};

const TIMES = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
const SIZES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];

export const duration = (seconds) =>
  !there(seconds) ? NOTHING : seconds <= 0 ? "0 s" : scaled(seconds, TIMES);

export const bytes = (size) => (!there(size) ? NOTHING : size <= 0 ? "0 B" : scaled(size, SIZES));

export const time = (seconds) => clock.format(new Date(seconds * 1000));
