// How numbers and words look in the pictures.

export const FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"

/**
 * A number for reading, with a real minus sign, and commas from a thousand on.
 * @param {number} value
 * @param {number} digits
 */
export function number(value, digits = 2) {
  if (!Number.isFinite(value)) return "–"
  const text = Math.abs(value) < 999.5 ? value.toFixed(digits) : value.toLocaleString("en-US", {maximumFractionDigits: 0})
  return text.replace("-", "−")
}
