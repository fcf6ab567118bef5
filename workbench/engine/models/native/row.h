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

ALWAYS float across(V x)
{
    float sum = 0.0f;
    for (int l = 0; l < LANES; l++) sum += x[l];
    return sum;
}

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

/* h (to,) = bias + x W; a last piece that is too short does some columns once more. */
static void affine_row(long from, long to, const float *weight, const float *bias, const float *x, float *h)
{
    if (to < LANES) {
        V sum = some(bias, to);
        for (long p = 0; p < from; p++) sum += x[p] * some(weight + p * to, to);
        put_some(h, sum, to);
        return;
    }
    int wide = to >= WIDE * LANES ? WIDE : to >= WIDEST * LANES ? WIDEST : 1;
    for (long done = 0; done < to; done += wide * LANES) {
        long i = done + wide * LANES <= to ? done : to - wide * LANES;
        if (wide == WIDE) affine_columns(WIDE, from, to, weight + i, bias + i, x, h + i);
        else if (wide == WIDEST) affine_columns(WIDEST, from, to, weight + i, bias + i, x, h + i);
        else affine_columns(1, from, to, weight + i, bias + i, x, h + i);
    }
}

/* out (from,) = W d */
static void dots(long from, long to, const float *weight, const float *d, float *out)
{
    for (long i = 0; i < from; i++) {
        V one = all(0.0f), two = all(0.0f);
        for (long o = 0; o < to; o += 2 * LANES) {
            one += some(weight + i * to + o, to - o) * some(d + o, to - o);
            if (o + LANES < to) two += some(weight + i * to + o + LANES, to - o - LANES) * some(d + o + LANES, to - o - LANES);
        }
        out[i] = across(one + two);
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
            rstd = 1.0f / sqrtf(across(squares) / (float)n + EPS);
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

/* grad (O,) back to d_x (I,) and into d_theta, each unless NULL. */
static void backward_row(const Net *net, const float *theta, long k, const float *grad, const float *kept, float *d_x, float *d_theta,
                         float *scratch)
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
                    if (d_theta) put_some(d_theta + net->scale[l] + k * n + i, g * x, n - i);
                    if (d_theta) put_some(d_theta + net->shift[l] + k * n + i, g, n - i);
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
            memcpy(d_theta + net->bias[l] + k * n, d, 4 * n);
            for (long p = 0; p < from; p++)
                for (long i = 0; i < n; i += LANES)
                    put_some(d_theta + net->weight[l] + (k * from + p) * n + i, place[p] * some(d + i, n - i), n - i);
        }
        if (l == 0 && !d_x) return;
        dots(from, n, theta + net->weight[l] + k * from * n, d, next);
        float *swap = d;
        d = next;
        next = swap;
    }
    memcpy(d_x, d, 4 * net->width[0]);
}

