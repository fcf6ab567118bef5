/* Vectors, products, LayerNorm and activations of a panel: PANEL rows, kept transposed, (features, PANEL). */

#pragma once

#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 16, SUMS = 24 }; /* numbers in a register; registers that hold sums of a product */
#elif defined(__AVX__)
enum { LANES = 8, SUMS = 12 };
#else
enum { LANES = 4, SUMS = 16 };
#endif
enum { PANEL = 64, WIDEST = SUMS == 12 ? 2 : 4, FEW = SUMS / WIDEST, MOST_LAYERS = 16, SPAN = 128 };
enum { SINGLY = 7 }; /* rows below which they are faster as they are, some at a time, than as a panel */

typedef float V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int VI __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define ALWAYS static inline __attribute__((always_inline))

typedef struct {
    int members, layers, gelu; /* K; Dense layers; 1 for GELU, 0 for ReLU */
    int width[MOST_LAYERS + 1];
    long weight[MOST_LAYERS], bias[MOST_LAYERS], scale[MOST_LAYERS], shift[MOST_LAYERS]; /* in theta; -1: no LayerNorm */
} Net;

static const float EPS = 1e-6f;

typedef int Words __attribute__((vector_size(4 * LANES), aligned(2), may_alias)); /* of two bf16 numbers each */
typedef unsigned short Half;
ALWAYS V all(float x) { return x - (V){0}; }
ALWAYS V at(const float *p) { return *(const V *)p; }
ALWAYS void put(float *p, V x) { *(V *)p = x; }
ALWAYS long larger(long a, long b) { return a > b ? a : b; }

ALWAYS V some(const float *p, long count)
{
    V x = all(0.0f);
    if (count >= LANES) return at(p);
    memcpy(&x, p, 4 * count);
    return x;
}

ALWAYS void put_some(float *p, V x, long count)
{
    if (count >= LANES) put(p, x);
    else memcpy(p, &x, 4 * count);
}

/* Add to *p, or begin there. */
ALWAYS void collect(float *p, V x, int go_on)
{
    if (go_on) x += at(p);
    put(p, x);
}

/* Two registers of weights: of bf16 numbers the first is in the low halves of the words, as `pack` puts them. */
ALWAYS void two(const float *p, const Half *half, V *first, V *second)
{
    if (half) {
        VI words = (VI)*(const Words *)half;
        *first = (V)(words << 16);
        *second = (V)(words & -65536);
    } else {
        *first = at(p);
        *second = at(p + LANES);
    }
}

ALWAYS V root(V x)
{
    V y;
    for (int l = 0; l < LANES; l++) y[l] = sqrtf(x[l]);
    return y;
}

/* x between -126 and 126; of NaN one of the two. */
ALWAYS V within_126(V x)
{
    VI sign = (VI)x & (VI)all(-0.0f), far = ((VI)x ^ sign) > (VI)all(126.0f);
    return (V)(((VI)x & ~far) | ((sign | (VI)all(126.0f)) & far));
}

/* 2 to the x, to two units in the last place; beyond 126 as at 126. */
ALWAYS V power_of_two(V x)
{
    x = within_126(x);
    V shifted = x + 12582912.0f, r = x - (shifted - 12582912.0f); /* rounded: 1.5 * 2^23 leaves no fraction */
    V p = all(1.3276471993e-3f); /* the polynomial of least relative error from -1/2 to 1/2: 7.5e-8 */
    p = p * r + 9.6755413344e-3f;
    p = p * r + 5.5507132735e-2f;
    p = p * r + 2.4022119724e-1f;
    p = p * r + 6.9314696706e-1f;
    p = p * r + 1.0f;
    VI power = ((VI)shifted + (127 - 0x4B400000)) << 23;
    return p * (V)power;
}

/* sum (few, wide registers) += A B over k: A(i, p) = a[i * down + p * along], B in rows of PANEL numbers. */
ALWAYS void product(long k, const float *a, long down, long along, const float *b, int few, int wide, V sum[][WIDEST])
{
    for (long p = 0; p < k; p++) {
        V row[WIDEST];
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) row[v] = at(b + p * PANEL + v * LANES);
#pragma GCC unroll 32
        for (int i = 0; i < few; i++) {
            V scalar = all(a[i * down + p * along]);
#pragma GCC unroll 8
            for (int v = 0; v < wide; v++) sum[i][v] += scalar * row[v];
        }
    }
}

/* `few` rows of out (n, PANEL) = begin + A B, or out += A B: `wide` registers of columns. */
ALWAYS void tile(long k, const float *a, long down, long along, const float *b, const float *begin, int go_on, float *out, int few, int wide)
{
    V sum[SUMS][WIDEST];
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) sum[i][v] = go_on ? at(out + (long)i * PANEL + v * LANES) : all(begin ? begin[i] : 0.0f);
    product(k, a, down, along, b, few, wide, sum);
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) put(out + (long)i * PANEL + v * LANES, sum[i][v]);
}

/* Columns that hold the rows of a panel, in whole registers. */
ALWAYS int filled(int rows) { return (rows + LANES - 1) / LANES * LANES; }

/* How many registers to take at once where `left` columns are to be done. */
ALWAYS int taken(int left) { return left >= WIDEST * LANES ? WIDEST : left / LANES; }

/* All n rows of `columns`, which are whole tiles of `wide` registers: the fewer of them, the more rows. Rows that lie apart take
   up places of the first cache that are few, where they are a power of two apart. */
ALWAYS void tiles(int wide, int n, long k, const float *a, long down, long along, const float *b, const float *begin, int go_on,
                  float *out, int columns)
{
    int most = wide > 1 || down == 1 ? SUMS / wide : SUMS / 2;
    for (int i = 0, few; i < n; i += few) {
        few = n - i >= most ? most : n - i >= FEW ? FEW : 1;
        for (int j = 0; j < columns; j += wide * LANES) {
            const float *from = a + i * down, *first = begin ? begin + i : NULL;
            float *to = out + (long)i * PANEL + j;
            if (few == SUMS / wide) tile(k, from, down, along, b + j, first, go_on, to, SUMS / wide, wide);
            else if (wide == 1 && few == SUMS / 2) tile(k, from, down, along, b + j, first, go_on, to, SUMS / 2, wide);
            else if (few == FEW) tile(k, from, down, along, b + j, first, go_on, to, FEW, wide);
            else tile(k, from, down, along, b + j, first, go_on, to, 1, wide);
        }
    }
}

/* out (n, PANEL) = begin (n,) + A B of so many columns, some of k at a time: neighbouring columns of A share cache lines, which
   stay so long. */
static void multiply(int n, int k, const float *a, long down, long along, const float *b, const float *begin, float *out, int columns)
{
    int whole = columns / (WIDEST * LANES) * WIDEST * LANES, rest = columns - whole;
    for (int p = 0; p < k; p += SPAN) {
        int span = k - p < SPAN ? k - p : SPAN;
        const float *from = a + p * along, *rows = b + (long)p * PANEL, *last = rows + whole;
        if (whole) tiles(WIDEST, n, span, from, down, along, rows, begin, p > 0, out, whole);
        if (WIDEST > 3 && rest == 3 * LANES) tiles(3, n, span, from, down, along, last, begin, p > 0, out + whole, rest);
        else if (WIDEST > 2 && rest == 2 * LANES) tiles(2, n, span, from, down, along, last, begin, p > 0, out + whole, rest);
        else if (rest) tiles(1, n, span, from, down, along, last, begin, p > 0, out + whole, rest);
    }
}

/* Lane l of a where from[l] is l', of b where it is LANES + l'. */
ALWAYS V pick(V a, V b, VI from)
{
#if defined(__clang__)
    V out;
    for (int l = 0; l < LANES; l++) out[l] = from[l] < LANES ? a[from[l]] : b[from[l] - LANES];
    return out;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

/* What `pick` takes to put together the first halves of two registers, and the second ones; of each `half` is half a piece. */
ALWAYS void halves(int half, VI *near, VI *far)
{
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) {
        (*near)[l] = l & half ? LANES + l - half : l;
        (*far)[l] = l & half ? LANES + l : l + half;
    }
}

/* The transpose of a square of LANES rows: halves of rows change places, then halves of halves. */
ALWAYS void transpose(V row[LANES])
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half > 0; half /= 2) {
        VI near, far;
        halves(half, &near, &far);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & half)) {
                V a = row[i], b = row[i + half];
                row[i] = pick(a, b, near);
                row[i + half] = pick(a, b, far);
            }
    }
}

/* (n, PANEL), of which so many columns -> blocks of PANEL columns: out[n / PANEL][row][n % PANEL], each block `rows` rows apart. */
static void turn(int n, const float *x, float *out, long rows, int columns)
{
    for (int i = 0; i < n; i += LANES) {
        float *block = out + i / PANEL * rows * PANEL + i % PANEL;
        for (int j = 0; j < columns; j += LANES) {
            V square[LANES];
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) square[l] = i + l < n ? at(x + (long)(i + l) * PANEL + j) : all(0.0f);
            transpose(square);
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) put(block + (long)(j + l) * PANEL, square[l]);
        }
    }
}

/* What the backward pass of a panel needs: inputs of every layer, and of every hidden one its normalised numbers, the slope of its
   activation, and 1 / standard deviation; numbers of it. */
static long kept_of_panel(const Net *net)
{
    long count = 0;
    for (int l = 0; l < net->layers; l++) {
        count += (long)net->width[l] * PANEL;
        if (l + 1 < net->layers) count += (long)net->width[l + 1] * PANEL * (net->scale[l] < 0 ? 1 : 2) + PANEL;
    }
    return count;
}

/* The same of a row of few; hidden layers have room for all three, and 1 / standard deviation after the normalised numbers. */
static long kept_of_row(const Net *net)
{
    long count = net->width[0];
    for (int l = 1; l < net->layers; l++) count += 3L * net->width[l] + 1;
    return count;
}

static long widest(const Net *net)
{
    long most = 0;
    for (int l = 0; l <= net->layers; l++) most = larger(most, net->width[l]);
    return most;
}

ALWAYS void activate(int gelu, V x, V *y, V *slope)
{
    const float linear = 1.5957691216f, cubic = 0.044715f * 1.5957691216f, log2_e = 1.4426950409f;
    if (gelu) {
        V square = x * x, gate = 1.0f / (1.0f + power_of_two(-x * (log2_e * linear + log2_e * cubic * square)));
        *y = x * gate;
        *slope = gate + (*y - *y * gate) * (linear + 3.0f * cubic * square);
    } else {
        *y = (V)((VI)x & ~(x < all(0.0f)));
        *slope = (V)((VI)all(1.0f) & ~(x <= all(0.0f)));
    }
}

/* LayerNorm and activation of `wide` registers of columns of h (n, PANEL) into y; `hat` (where there is a LayerNorm), `slope` and
   `inverse` unless NULL. Several sums at once: one alone waits for itself. */
ALWAYS void finish_columns(int gelu, int wide, int n, const float *scale, const float *shift, const float *h, float *y, float *hat,
                           float *slope, float *inverse)
{
    V mean[WIDEST], rstd[WIDEST];
    for (int v = 0; v < wide; v++) mean[v] = rstd[v] = all(0.0f);
    if (scale) {
        for (int i = 0; i < n; i++)
#pragma GCC unroll 8
            for (int v = 0; v < wide; v++) mean[v] += at(h + (long)i * PANEL + v * LANES);
        for (int v = 0; v < wide; v++) mean[v] /= (float)n;
        for (int i = 0; i < n; i++)
#pragma GCC unroll 8
            for (int v = 0; v < wide; v++) {
                V off = at(h + (long)i * PANEL + v * LANES) - mean[v];
                rstd[v] += off * off;
            }
        for (int v = 0; v < wide; v++) {
            V variance = rstd[v] / (float)n + EPS;
            rstd[v] = 1.0f / root(variance) + 0.0f * variance; /* NaN where the squares were too large */
            if (inverse) put(inverse + v * LANES, rstd[v]);
        }
    }
    for (int i = 0; i < n; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) {
            long here = (long)i * PANEL + v * LANES;
            V x = at(h + here), out, steep;
            if (scale) {
                x = (x - mean[v]) * rstd[v];
                if (hat) put(hat + here, x);
                x = x * scale[i] + shift[i];
            }
            activate(gelu, x, &out, &steep);
            put(y + here, out);
            if (slope) put(slope + here, steep);
        }
}

/* The same of all columns. */
ALWAYS void finish(int gelu, int n, const float *scale, const float *shift, const float *h, float *y, float *hat, float *slope,
                   float *inverse, int columns)
{
    for (int j = 0, wide; j < columns; j += wide * LANES) {
        float *own = hat ? hat + j : NULL, *steep = slope ? slope + j : NULL, *rstd = inverse ? inverse + j : NULL;
        wide = taken(columns - j);
        if (wide == WIDEST) finish_columns(gelu, WIDEST, n, scale, shift, h + j, y + j, own, steep, rstd);
        else if (WIDEST > 3 && wide == 3) finish_columns(gelu, 3, n, scale, shift, h + j, y + j, own, steep, rstd);
        else if (WIDEST > 2 && wide == 2) finish_columns(gelu, 2, n, scale, shift, h + j, y + j, own, steep, rstd);
        else finish_columns(gelu, 1, n, scale, shift, h + j, y + j, own, steep, rstd);
    }
}
