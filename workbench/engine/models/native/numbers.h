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
enum { PANEL = 64, WIDEST = SUMS == 12 ? 2 : 4, FEW = SUMS / WIDEST, MOST_LAYERS = 16 };

typedef float V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int VI __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define ALWAYS static inline __attribute__((always_inline))

typedef struct {
    int members, layers, gelu; /* K; Dense layers; 1 for GELU, 0 for ReLU */
    int width[MOST_LAYERS + 1];
    long weight[MOST_LAYERS], bias[MOST_LAYERS], scale[MOST_LAYERS], shift[MOST_LAYERS]; /* in theta; -1: no LayerNorm */
} Net;

static const float EPS = 1e-6f;

ALWAYS V all(float x) { return x - (V){0}; }
ALWAYS V at(const float *p) { return *(const V *)p; }
ALWAYS void put(float *p, V x) { *(V *)p = x; }
ALWAYS long larger(long a, long b) { return a > b ? a : b; }

/* Add to *p, or begin there. */
ALWAYS void collect(float *p, V x, int go_on)
{
    if (go_on) x += at(p);
    put(p, x);
}

/* exp(x), to two units in the last place; 0 below -87, and 6e37 above 87. */
ALWAYS V exp_of(V x)
{
    VI low = x < all(-87.0f), high = x > all(87.0f);
    x = (V)(((VI)x & ~(low | high)) | ((VI)all(-87.0f) & low) | ((VI)all(87.0f) & high));
    V shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f; /* rounded: 1.5 * 2^23 leaves no fraction */
    V r = x - n * 0.693359375f - n * -2.12194440e-4f;
    V p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    VI power = ((VI)shifted + (127 - 0x4B400000)) << 23;
    return p * (V)power;
}

/* sum (few, WIDEST registers) += A B over k: A(i, p) = a[i * down + p * along], B in rows of PANEL numbers. */
ALWAYS void product(long k, const float *a, long down, long along, const float *b, int few, V sum[][WIDEST])
{
    for (long p = 0; p < k; p++) {
        V row[WIDEST];
#pragma GCC unroll 8
        for (int v = 0; v < WIDEST; v++) row[v] = at(b + p * PANEL + v * LANES);
#pragma GCC unroll 32
        for (int i = 0; i < few; i++) {
            V scalar = all(a[i * down + p * along]);
#pragma GCC unroll 8
            for (int v = 0; v < WIDEST; v++) sum[i][v] += scalar * row[v];
        }
    }
}

/* `few` rows of out (n, PANEL) = begin + A B. */
ALWAYS void strip(long k, const float *a, long down, long along, const float *b, const float *begin, float *out, int few)
{
    for (int first = 0; first < PANEL; first += WIDEST * LANES) {
        V sum[FEW][WIDEST];
#pragma GCC unroll 32
        for (int i = 0; i < few; i++)
#pragma GCC unroll 8
            for (int v = 0; v < WIDEST; v++) sum[i][v] = all(begin ? begin[i] : 0.0f);
        product(k, a, down, along, b + first, few, sum);
#pragma GCC unroll 32
        for (int i = 0; i < few; i++)
#pragma GCC unroll 8
            for (int v = 0; v < WIDEST; v++) put(out + (long)i * PANEL + first + v * LANES, sum[i][v]);
    }
}

/* out (n, PANEL) = begin (n,) + A B; a last strip that is too short does some rows once more. */
static void multiply(int n, int k, const float *a, long down, long along, const float *b, const float *begin, float *out)
{
    if (n < FEW)
        for (int i = 0; i < n; i++)
            strip(k, a + i * down, down, along, b, begin ? begin + i : NULL, out + (long)i * PANEL, 1);
    else
        for (int done = 0; done < n; done += FEW) {
            int i = done + FEW <= n ? done : n - FEW;
            strip(k, a + i * down, down, along, b, begin ? begin + i : NULL, out + (long)i * PANEL, FEW);
        }
}

/* (n, PANEL) -> blocks of PANEL columns: out[n / PANEL][row][n % PANEL], each block `rows` rows apart. */
static void turn(int n, const float *x, float *out, long rows)
{
    for (int first = 0; first < n; first += PANEL) {
        int count = n - first < PANEL ? n - first : PANEL;
        float *block = out + first / PANEL * rows * PANEL;
        for (int j = 0; j < PANEL; j += LANES)
            for (int i = 0; i < count; i++) {
                const float *from = x + (long)(first + i) * PANEL + j;
                for (int l = 0; l < LANES; l++) block[(long)(j + l) * PANEL + i] = from[l];
            }
        for (int r = 0; r < PANEL; r++)
            for (int i = count; i < PANEL; i++) block[(long)r * PANEL + i] = 0.0f;
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

static long widest(const Net *net)
{
    long most = 0;
    for (int l = 0; l <= net->layers; l++) most = larger(most, net->width[l]);
    return most;
}

ALWAYS void activate(int gelu, V x, V *y, V *slope)
{
    const float linear = 1.5957691216f, cubic = 0.044715f * 1.5957691216f;
    if (gelu) {
        V square = x * x, gate = 1.0f / (1.0f + exp_of(-x * (linear + cubic * square)));
        *y = x * gate;
        *slope = gate + (*y - *y * gate) * (linear + 3.0f * cubic * square);
    } else {
        *y = (V)((VI)x & ~(x < all(0.0f)));
        *slope = (V)((VI)all(1.0f) & ~(x <= all(0.0f)));
    }
}

/* LayerNorm and activation of h (n, PANEL) into y; `hat` (where there is a LayerNorm), `slope` and `inverse` unless NULL. */
ALWAYS void finish(int gelu, int n, const float *scale, const float *shift, const float *h, float *y, float *hat, float *slope,
                   float *inverse)
{
    for (int j = 0; j < PANEL; j += LANES) {
        V mean = all(0.0f), rstd = all(1.0f);
        if (scale) {
            V sum = all(0.0f), squares = all(0.0f);
            for (int i = 0; i < n; i++) sum += at(h + (long)i * PANEL + j);
            mean = sum / (float)n;
            for (int i = 0; i < n; i++) {
                V off = at(h + (long)i * PANEL + j) - mean;
                squares += off * off;
            }
            squares = squares / (float)n + EPS;
            for (int l = 0; l < LANES; l++) rstd[l] = 1.0f / sqrtf(squares[l]);
            if (inverse) put(inverse + j, rstd);
        }
        for (int i = 0; i < n; i++) {
            long here = (long)i * PANEL + j;
            V x = at(h + here), out, steep;
            if (scale) {
                x = (x - mean) * rstd;
                if (hat) put(hat + here, x);
                x = x * scale[i] + shift[i];
            }
            activate(gelu, x, &out, &steep);
            put(y + here, out);
            if (slope) put(slope + here, steep);
        }
    }
}

