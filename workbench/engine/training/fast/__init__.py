"""The update made fast: fused Adam, compiled and recorded functions, several seeds as one stack."""
