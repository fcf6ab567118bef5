/* The passes of a single row: products with a vector, which read every weight once. */

#pragma once

enum { WIDE = LANES == 16 ? 16 : 8 }; /* registers that hold sums of a product with a vector */

ALWAYS V some(const float *p, long count)
{
    V x = all(0.0f);
    if (count >= LANES) return at(p);
    memcpy(&x, p, 4 * count);
    return x;
}

ALWAYS void put_some(float *p, V x, long count) { memcpy(p, &x, 4 * (count < LANES ? count : LANES)); }

/* As `put_some`, or added to what is there. */
ALWAYS void add_some(float *p, V x, long count, int go_on)
{
    if (go_on) x += some(p, count);
    put_some(p, x, count);
}

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

/* `wide` registers of h = bias + x W, whose rows are `to` numbers apart. */
ALWAYS void affine_columns(int wide, long from, long to, const float *weight, const float *bias, const float *x, float *h)
{
    V sum[WIDE];
#pragma GCC unroll 16
    for (int v = 0; v < wide; v++) sum[v] = at(bias + v * LANES);
    for (long p = 0; p < from; p++) {
        V input = all(x[p]);
#pragma GCC unroll 16
        for (int v = 0; v < wide; v++) sum[v] += input * at(weight + p * to + v * LANES);
    }
#pragma GCC unroll 16
    for (int v = 0; v < wide; v++) put(h + v * LANES, sum[v]);
}

/* The same where one register holds all of h: rows are read with what comes after them, while that is of the same array. */
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

/* h (to,) = bias + x W; a last piece that is too short does some columns once more. */
static void affine_row(long from, long to, const float *weight, const float *bias, const float *x, float *h)
{
    if (to < LANES) {
        affine_narrow(from, to, weight, bias, x, h);
        return;
    }
    int wide = to >= WIDE * LANES ? WIDE : to >= WIDE / 2 * LANES ? WIDE / 2 : 1;
    for (long done = 0; done < to; done += wide * LANES) {
        long i = done + wide * LANES <= to ? done : to - wide * LANES;
        if (wide == WIDE) affine_columns(WIDE, from, to, weight + i, bias + i, x, h + i);
        else if (wide == WIDE / 2) affine_columns(WIDE / 2, from, to, weight + i, bias + i, x, h + i);
        else affine_columns(1, from, to, weight + i, bias + i, x, h + i);
    }
}

/* Of `few` rows of W the products with d, whose lanes are not yet added to each other. */
ALWAYS void dot_lanes(int few, long to, const float *weight, const float *d, V *sum)
{
    long o = 0;
    V own[4] = {all(0.0f), all(0.0f), all(0.0f), all(0.0f)};
    for (; o + LANES <= to; o += LANES) {
        V factor = at(d + o);
#pragma GCC unroll 4
        for (int l = 0; l < few; l++) own[l] += factor * at(weight + l * to + o);
    }
    if (o < to)
        for (int l = 0; l < few; l++) own[l] += some(d + o, to - o) * some(weight + l * to + o, to - o);
    for (int l = 0; l < few; l++) sum[l] = own[l];
}

/* out (from,) = W d, LANES of them at a time. */
static void dots(long from, long to, const float *restrict weight, const float *restrict d, float *restrict out)
{
    long i = 0;
    if (to == 1) {
        for (; i < from; i++) out[i] = weight[i] * d[0];
        return;
    }
    for (; to < LANES && i < from; i++) {
        float sum = 0.0f;
        for (long o = 0; o < to; o++) sum += weight[i * to + o] * d[o];
        out[i] = sum;
    }
    for (; i + LANES <= from; i += LANES) {
        V sum[LANES];
        for (int l = 0; l < LANES; l += 4) dot_lanes(4, to, weight + (i + l) * to, d, sum + l);
        put(out + i, sums(sum));
    }
    for (; i < from; i++) {
        V sum;
        dot_lanes(1, to, weight + i * to, d, &sum);
        out[i] = across(sum);
    }
}

static long kept_of_row(const Net *net)
{
    long count = net->width[0];
    for (int l = 1; l < net->layers; l++) count += 3L * net->width[l] + 1;
    return count;
}

static void forward_row(const Net *net, const float *theta, long k, const float *x, float *y, float *kept, float *scratch)
{
    float *in = kept ? kept : scratch, *h = scratch + widest(net);
    memcpy(in, x, 4 * net->width[0]);
    for (int l = 0; l < net->layers; l++) {
        long from = net->width[l], n = net->width[l + 1];
        affine_row(from, n, theta + net->weight[l] + k * from * n, theta + net->bias[l] + k * n, in, h);
        if (l + 1 == net->layers) break;
        int normed = net->scale[l] >= 0;
        float mean = 0.0f, rstd = 1.0f, *slope = NULL, *hat = NULL;
        if (normed) {
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
        if (kept) {
            slope = in + from;
            hat = slope + n;
            hat[n] = rstd;
            in = hat + n + 1;
        }
        for (long i = 0; i < n; i += LANES) {
            V u = some(h + i, n - i), out, steep;
            if (normed) {
                u = (u - mean) * rstd;
                if (hat) put_some(hat + i, u, n - i);
                u = u * some(theta + net->scale[l] + k * n + i, n - i) + some(theta + net->shift[l] + k * n + i, n - i);
            }
            activate(net->gelu, u, &out, &steep);
            put_some(in + i, out, n - i);
            if (slope) put_some(slope + i, steep, n - i);
        }
    }
    memcpy(y, h, 4 * net->width[net->layers]);
}

/* grad (O,) back to d_x (I,) and into d_theta, each unless NULL; the latter is added to where it goes on. */
static void backward_row(const Net *net, const float *theta, long k, const float *grad, const float *kept, float *d_x, float *d_theta,
                         int go_on, float *scratch)
{
    float *d = scratch, *next = scratch + widest(net);
    const float *place = kept + kept_of_row(net);
    memcpy(d, grad, 4 * net->width[net->layers]);
    for (int l = net->layers - 1; l >= 0; l--) {
        long from = net->width[l], n = net->width[l + 1];
        if (l + 1 < net->layers) {
            const float *hat = place - n - 1, *slope = hat - n, rstd = hat[n];
            int normed = net->scale[l] >= 0;
            V one = all(0.0f), two = all(0.0f);
            for (long i = 0; i < n; i += LANES) {
                V g = some(d + i, n - i) * some(slope + i, n - i);
                if (normed) {
                    V x = some(hat + i, n - i);
                    if (d_theta) add_some(d_theta + net->scale[l] + k * n + i, g * x, n - i, go_on);
                    if (d_theta) add_some(d_theta + net->shift[l] + k * n + i, g, n - i, go_on);
                    g *= some(theta + net->scale[l] + k * n + i, n - i);
                    one += g;
                    two += g * x;
                }
                put_some(d + i, g, n - i);
            }
            float first = across(one) / (float)n, second = across(two) / (float)n;
            for (long i = 0; normed && i < n; i += LANES)
                put_some(d + i, rstd * (some(d + i, n - i) - first - some(hat + i, n - i) * second), n - i);
            place = slope;
        }
        place -= from;
        if (d_theta) {
            for (long i = 0; i < n; i += LANES)
                add_some(d_theta + net->bias[l] + k * n + i, some(d + i, n - i), n - i, go_on);
            for (long p = 0; p < from; p++)
                for (long i = 0; i < n; i += LANES)
                    add_some(d_theta + net->weight[l] + (k * from + p) * n + i, place[p] * some(d + i, n - i), n - i, go_on);
        }
        if (l == 0 && !d_x) return;
        dots(from, n, theta + net->weight[l] + k * from * n, d, next);
        float *swap = d;
        d = next;
        next = swap;
    }
    memcpy(d_x, d, 4 * net->width[0]);
}

