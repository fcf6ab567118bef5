/* The passes of few rows, TOGETHER of them at a time: each weight is read once for all of these. */

#pragma once

enum { WIDE = LANES == 16 ? 16 : 8, TOGETHER = 4 }; /* registers that hold sums of their products; rows */

/* The sums of all lanes of a whole square of LANES registers: halves of two are added in one, then halves of halves. */
ALWAYS V sums(V row[LANES])
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half > 0; half /= 2) {
        VI near, far;
        halves(half, &near, &far);
#pragma GCC unroll 16
        for (int i = 0; i < half; i++) row[i] = pick(row[i], row[i + half], near) + pick(row[i], row[i + half], far);
    }
    return row[0];
}

ALWAYS float across(V x)
{
#pragma GCC unroll 8
    for (int half = LANES / 2; half > 0; half /= 2) {
        VI near, far;
        halves(half, &near, &far);
        x = pick(x, x, near) + pick(x, x, far);
    }
    return x[0];
}

/* 1 / sqrt(x); of infinity NaN: there the squares were too large, and all normalised numbers would be 0. */
static float inverse_of(float x) { return 1.0f / sqrtf(x) + 0.0f * x; }

/* Of `rows` rows, x and h `apart_x` and `apart_h` numbers apart, `wide` registers of h = bias + x W, whose rows are `to` apart. */
ALWAYS void affine_columns(int halved, int rows, int wide, long from, long to, const float *weight, const Half *half, const float *bias,
                           const float *x, long apart_x, float *h, long apart_h)
{
    V sum[TOGETHER][WIDE];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < wide; v++) sum[r][v] = at(bias + v * LANES);
    for (long p = 0; p < from; p++) {
        V input[TOGETHER];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) input[r] = all(x[r * apart_x + p]);
#pragma GCC unroll 16
        for (int v = 0; v + 1 < wide; v += 2) {
            V even, odd;
            two(weight + p * to + v * LANES, halved ? half + p * to + v * LANES : NULL, &even, &odd);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                sum[r][v] += input[r] * even;
                sum[r][v + 1] += input[r] * odd;
            }
        }
        for (int r = 0; wide == 1 && r < rows; r++) sum[r][0] += input[r] * at(weight + p * to);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < wide; v++) put(h + r * apart_h + v * LANES, sum[r][v]);
}

/* The same of one row where one register holds all of h: rows of W are read with what comes after them, while that is of the same array. */
static void affine_narrow(long from, long to, const float *weight, const float *bias, const float *x, float *h)
{
    V sum[4] = {some(bias, to), all(0.0f), all(0.0f), all(0.0f)};
    long p = 0;
    for (; (p + 3) * to + LANES <= from * to; p += 4)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) sum[i] += x[p + i] * at(weight + (p + i) * to);
    for (; p < from; p++) sum[0] += x[p] * some(weight + p * to, to);
    put_some(h, (sum[0] + sum[1]) + (sum[2] + sum[3]), to);
}

/* h (rows, to) = bias + x W, as many registers at a time as there are; a last piece that is too short does some columns once more. */
ALWAYS void affine_of(int halved, int rows, long from, long to, const float *weight, const Half *half, const float *bias, const float *x,
                      long apart_x, float *h, long apart_h)
{
    int wide = WIDE;
    while (wide * rows > WIDE || wide * LANES > to) wide /= 2;
    for (long done = 0; done < to; done += wide * LANES) {
        long i = done + wide * LANES <= to ? done : to - wide * LANES;
        const float *w = weight + i, *b = bias + i;
        const Half *z = halved ? half + i : NULL;
        if (wide == 1) affine_columns(halved, rows, 1, from, to, w, z, b, x, apart_x, h + i, apart_h);
        else if (wide == 2) affine_columns(halved, rows, 2, from, to, w, z, b, x, apart_x, h + i, apart_h);
        else if (WIDE >= 4 * rows && wide == 4) affine_columns(halved, rows, 4, from, to, w, z, b, x, apart_x, h + i, apart_h);
        else if (WIDE >= 8 * rows && wide == 8) affine_columns(halved, rows, 8, from, to, w, z, b, x, apart_x, h + i, apart_h);
        else if (WIDE >= 16 * rows) affine_columns(halved, rows, 16, from, to, w, z, b, x, apart_x, h + i, apart_h);
    }
}

/* `half`, unless NULL: the same weights as bf16 numbers. */
static void affine_rows(int rows, long from, long to, const float *weight, const Half *half, const float *bias, const float *x,
                        long apart_x, float *h, long apart_h)
{
    if (to < LANES)
        for (int r = 0; r < rows; r++) affine_narrow(from, to, weight, bias, x + r * apart_x, h + r * apart_h);
    else if (half && rows == 1) affine_of(1, 1, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (half && rows == 2) affine_of(1, 2, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (half && rows == 3) affine_of(1, 3, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (half) affine_of(1, TOGETHER, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (rows == 1) affine_of(0, 1, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (rows == 2) affine_of(0, 2, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else if (rows == 3) affine_of(0, 3, from, to, weight, half, bias, x, apart_x, h, apart_h);
    else affine_of(0, TOGETHER, from, to, weight, half, bias, x, apart_x, h, apart_h);
}

/* Of `few` rows of W the products with `rows` rows of d, whose lanes are not yet added to each other: sum[r][l]. `tail`: the last
   LANES numbers of each row of d, 0 but for those after the last whole register. */
ALWAYS void dot_lanes(int halved, int rows, int few, long to, const float *weight, const Half *half, const float *d, long apart_d,
                      const V *tail, V sum[][LANES])
{
    long o = 0;
    V own[TOGETHER][4];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int l = 0; l < few; l++) own[r][l] = all(0.0f);
    for (; o + 2 * LANES <= to; o += 2 * LANES) {
        V first[TOGETHER], second[TOGETHER];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            first[r] = at(d + r * apart_d + o);
            second[r] = at(d + r * apart_d + o + LANES);
        }
#pragma GCC unroll 4
        for (int l = 0; l < few; l++) {
            V even, odd;
            two(weight + l * to + o, halved ? half + l * to + o : NULL, &even, &odd);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) own[r][l] += first[r] * even;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) own[r][l] += second[r] * odd;
        }
    }
    for (; o + LANES <= to; o += LANES) {
        V factor[TOGETHER];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) factor[r] = at(d + r * apart_d + o);
#pragma GCC unroll 4
        for (int l = 0; l < few; l++) {
            V w = at(weight + l * to + o);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) own[r][l] += factor[r] * w;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int l = 0; l < few; l++) {
            if (o < to) own[r][l] += tail[r] * at(weight + (l + 1) * to - LANES);
            sum[r][l] = own[r][l];
        }
}

/* out (from,) = W d of one row where W has fewer columns than a register. */
static void dots_narrow(long from, long to, const float *restrict weight, const float *restrict d, float *restrict out)
{
    for (long i = 0; to == 1 && i < from; i++) out[i] = weight[i] * d[0];
    for (long i = 0; to > 1 && i < from; i++) {
        float sum = 0.0f;
        for (long o = 0; o < to; o++) sum += weight[i * to + o] * d[o];
        out[i] = sum;
    }
}

/* out (rows, from) = d W', LANES of them at a time. */
ALWAYS void dots_of(int halved, int rows, long from, long to, const float *weight, const Half *half, const float *d, float *out, long apart)
{
    long i = 0, whole = to / LANES * LANES;
    V sum[TOGETHER][LANES], tail[TOGETHER];
    for (int r = 0; r < rows; r++) {
        tail[r] = at(d + r * apart + to - LANES);
        for (long e = 0; e < LANES - (to - whole); e++) tail[r][e] = 0.0f;
    }
    for (; i + LANES <= from; i += LANES) {
        for (int l = 0; l < LANES; l += 4) {
            V four[TOGETHER][LANES];
            dot_lanes(halved, rows, 4, to, weight + (i + l) * to, halved ? half + (i + l) * to : NULL, d, apart, tail, four);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int m = 0; m < 4; m++) sum[r][l + m] = four[r][m];
        }
        for (int r = 0; r < rows; r++) put(out + r * apart + i, sums(sum[r]));
    }
    for (; i < from; i++) {
        dot_lanes(halved, rows, 1, to, weight + i * to, halved ? half + i * to : NULL, d, apart, tail, sum);
        for (int r = 0; r < rows; r++) out[r * apart + i] = across(sum[r][0]);
    }
}

static void dots(int rows, long from, long to, const float *weight, const Half *half, const float *d, float *out, long apart)
{
    if (to < LANES)
        for (int r = 0; r < rows; r++) dots_narrow(from, to, weight, d + r * apart, out + r * apart);
    else if (half && rows == 1) dots_of(1, 1, from, to, weight, half, d, out, apart);
    else if (half && rows == 2) dots_of(1, 2, from, to, weight, half, d, out, apart);
    else if (half && rows == 3) dots_of(1, 3, from, to, weight, half, d, out, apart);
    else if (half) dots_of(1, TOGETHER, from, to, weight, half, d, out, apart);
    else if (rows == 1) dots_of(0, 1, from, to, weight, half, d, out, apart);
    else if (rows == 2) dots_of(0, 2, from, to, weight, half, d, out, apart);
    else if (rows == 3) dots_of(0, 3, from, to, weight, half, d, out, apart);
    else dots_of(0, TOGETHER, from, to, weight, half, d, out, apart);
}

/* LayerNorm and activation of h (n,) into y; `hat` (where there is a LayerNorm), its last number 1 / standard deviation, and
   `slope` unless NULL. */
static void finish_row(int gelu, long n, const float *scale, const float *shift, const float *h, float *y, float *hat, float *slope)
{
    float mean = 0.0f, rstd = 1.0f;
    if (scale) {
        V sum = all(0.0f), squares = all(0.0f);
        for (long i = 0; i < n; i += LANES) sum += some(h + i, n - i);
        mean = across(sum) / (float)n;
        for (long i = 0; i < n; i += LANES) {
            V off = some(h + i, n - i) - mean;
            if (n - i < LANES)
                for (long e = n - i; e < LANES; e++) off[e] = 0.0f;
            squares += off * off;
        }
        rstd = inverse_of(across(squares) / (float)n + EPS);
    }
    if (hat) hat[n] = rstd;
    for (long i = 0; i < n; i += LANES) {
        V u = some(h + i, n - i), out, steep;
        if (scale) {
            u = (u - mean) * rstd;
            if (hat) put_some(hat + i, u, n - i);
            u = u * some(scale + i, n - i) + some(shift + i, n - i);
        }
        activate(gelu, u, &out, &steep);
        put_some(y + i, out, n - i);
        if (slope) put_some(slope + i, steep, n - i);
    }
}

/* Whether a layer of n outputs has its weights as bf16 numbers too: they are read two registers at a time. */
static int may_be_halved(long n) { return n % (2 * LANES) == 0; }

/* The weights of all such layers, which bf16 can say, where they are in theta. */
void pack(const Net *net, const float *theta, Half *half)
{
    for (int l = 0; l < net->layers; l++) {
        long n = net->width[l + 1], all_rows = (long)net->members * net->width[l];
        for (long i = 0; may_be_halved(n) && i < all_rows * n; i++) {
            unsigned bits;
            memcpy(&bits, theta + net->weight[l] + i, 4);
            long lane = i % LANES, second = i / LANES % 2;
            half[net->weight[l] + i / (2 * LANES) * 2 * LANES + 2 * lane + second] = bits >> 16;
        }
    }
}

/* The matrix of a layer of member k among them, or NULL. */
static const Half *half_of(const Net *net, const Half *half, int l, long k)
{
    long from = net->width[l], n = net->width[l + 1];
    return half && may_be_halved(n) ? half + net->weight[l] + k * from * n : NULL;
}

/* y (rows, O) of at most TOGETHER rows of x, `row` numbers apart. */
static void forward_rows(const Net *net, const float *theta, const Half *half, long k, int rows, const float *x, long row, float *y, float *kept,
                         float *scratch)
{
    long size = widest(net), apart = kept ? kept_of_row(net) : size;
    float *in = kept ? kept : scratch, *h = scratch + TOGETHER * size;
    for (int r = 0; r < rows; r++) memcpy(in + r * apart, x + r * row, 4 * net->width[0]);
    for (int l = 0; l < net->layers; l++) {
        long from = net->width[l], n = net->width[l + 1];
        affine_rows(rows, from, n, theta + net->weight[l] + k * from * n, half_of(net, half, l, k), theta + net->bias[l] + k * n, in,
                    apart, h, size);
        if (l + 1 == net->layers) break;
        int normed = net->scale[l] >= 0;
        const float *scale = normed ? theta + net->scale[l] + k * n : NULL, *shift = normed ? theta + net->shift[l] + k * n : NULL;
        float *slope = kept ? in + from : NULL, *hat = kept ? slope + n : NULL;
        if (kept) in = hat + n + 1;
        for (int r = 0; r < rows; r++) {
            long own = r * apart;
            finish_row(net->gelu, n, scale, shift, h + r * size, in + own, kept ? hat + own : NULL, kept ? slope + own : NULL);
        }
    }
    for (int r = 0; r < rows; r++) memcpy(y + r * net->width[net->layers], h + r * size, 4 * net->width[net->layers]);
}

/* d (n,), with respect to what an activation returned, becomes the gradient before LayerNorm; in `part`, unless NULL, what the
   gradients of scale and shift sum. */
static void finish_backward_row(long n, const float *scale, const float *hat, const float *slope, float *d, float *part)
{
    V one = all(0.0f), two = all(0.0f);
    for (long i = 0; i < n; i += LANES) {
        V g = some(d + i, n - i) * some(slope + i, n - i);
        if (scale) {
            V x = some(hat + i, n - i);
            if (part) put_some(part + n + i, g * x, n - i);
            if (part) put_some(part + 2 * n + i, g, n - i);
            g *= some(scale + i, n - i);
            one += g;
            two += g * x;
        }
        put_some(d + i, g, n - i);
    }
    float first = across(one) / (float)n, second = across(two) / (float)n;
    for (long i = 0; scale && i < n; i += LANES)
        put_some(d + i, hat[n] * (some(d + i, n - i) - first - some(hat + i, n - i) * second), n - i);
}

/* Back from grad (rows, O) of at most TOGETHER rows to d_x (rows, I), unless NULL. What the weights' gradients sum is left in
   `turned`, from row `first` of the `all_rows` of the batch on, and in `parts`, unless they are NULL. */
static void backward_rows(const Net *net, const float *theta, const Half *half, long k, int rows, const float *grad, const float *kept, float *d_x,
                          float *turned, long all_rows, long first, float *parts, float *scratch)
{
    long size = widest(net), apart = kept_of_row(net), sums = parts_of_row(net), out = net->width[net->layers];
    float *d = scratch, *next = scratch + TOGETHER * size;
    const float *place = kept + apart;
    float *block = turned ? turned + turned_of_member(net, all_rows) : NULL, *part = parts ? parts + sums : NULL;
    for (int r = 0; r < rows; r++) memcpy(d + r * size, grad + r * out, 4 * out);
    for (int l = net->layers - 1; l >= 0; l--) {
        long from = net->width[l], n = net->width[l + 1];
        if (turned) {
            block -= blocks(n) * all_rows * PANEL;
            part -= 3 * n;
        }
        if (l + 1 < net->layers) {
            const float *hat = place - n - 1, *slope = hat - n, *scale = net->scale[l] < 0 ? NULL : theta + net->scale[l] + k * n;
            for (int r = 0; r < rows; r++)
                finish_backward_row(n, scale, hat + r * apart, slope + r * apart, d + r * size, part ? part + r * sums : NULL);
            place = slope;
        }
        place -= from;
        for (int r = 0; turned && r < rows; r++) {
            memcpy(part + r * sums, d + r * size, 4 * n);
            for (long i = 0; i < n; i += PANEL) {
                float *to = block + (i / PANEL * all_rows + first + r) * PANEL;
                long count = n - i < PANEL ? n - i : PANEL;
                memcpy(to, d + r * size + i, 4 * count);
                memset(to + count, 0, 4 * (PANEL - count));
            }
        }
        if (l == 0 && !d_x) return;
        dots(rows, from, n, theta + net->weight[l] + k * from * n, half_of(net, half, l, k), d, next, size);
        float *swap = d;
        d = next;
        next = swap;
    }
    for (int r = 0; r < rows; r++) memcpy(d_x + r * net->width[0], d + r * size, 4 * net->width[0]);
}
