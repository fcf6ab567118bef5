// How numbers and words look in the pictures.

export const FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"

/**
 * A number for reading, with a real minus sign.
 * @param {number} value
 * @param {number} digits
 */
export const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–")
