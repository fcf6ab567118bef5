/* A whole decision: T steps a += δ v(s, a, t) + δ w ∇Q(s, â) at â = clip(a + (1 - t) v), from noise to an action. */

#pragma once

typedef struct {
    const Net *flow, *critic; /* critic NULL: no guidance */
    const float *flow_theta, *critic_theta;
    const Half *flow_half, *critic_half; /* NULL: weights are read as they are in theta */
    const float *states, *times; /* (B, S), and the embedding of each step's time, (T, E) */
    long rows, particles;        /* B N, and N */
    int observed, acted, embedded, steps; /* S, D, E, T */
    int lowest, threads;                  /* Q is the lowest of the members, not their mean */
    double weight;
} Decision;

static long decision_working(const Decision *of)
{
    long most = forward_scratch(of->flow, of->threads);
    if (!of->critic) return most;
    most = larger(most, larger(forward_scratch(of->critic, of->threads), chosen_scratch(of->critic, of->threads)));
    return larger(most, backward_scratch(of->critic, of->rows, of->threads, 0));
}

/* Numbers of working memory. */
long decision_scratch(const Decision *of)
{
    long rows = of->rows, k = of->critic ? of->critic->members : 0, inputs = of->observed + of->acted;
    long count = rows * (inputs + of->embedded + of->acted) + 1 + decision_working(of);
    return count + (k ? rows * (4 + 2 * k + k * inputs) + kept_size(of->critic, rows) : 0);
}

/* A product that is not fused with the sum after it: PyTorch rounds both. */
static float scaled(float by, float x)
{
    volatile float product = by * x;
    return product;
}

static float clipped(float x) { return x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x; } /* NaN stays */

/* The critic's gradient (B N, S + D) at x, whose rows are `apart` numbers apart; the values are added to `total`. `working` is
   memory of its results and of the passes. */
static const float *pull(const Decision *of, const float *x, long apart, double *total, float *working)
{
    const Net *critic = of->critic;
    long rows = of->rows, k = critic->members, inputs = of->observed + of->acted;
    long *member = (long *)working, *order = member + rows;
    float *q = (float *)(order + rows), *seed = q + k * rows, *d_x = seed + k * rows, *kept = d_x + k * rows * inputs;
    float *scratch = kept + kept_size(critic, rows);
    forward(critic, of->critic_theta, of->critic_half, x, apart, 0, rows, q, kept, scratch, of->threads);
    if (!of->lowest || k == 1) {
        for (long i = 0; i < k * rows; i++) {
            *total += q[i];
            seed[i] = 1.0f / (float)k;
        }
        backward(critic, of->critic_theta, of->critic_half, seed, rows, kept, NULL, d_x, scratch, of->threads);
        for (long m = 1; m < k; m++)
            for (long i = 0; i < rows * inputs; i++) d_x[i] += d_x[m * rows * inputs + i];
        return d_x;
    }
    for (long r = 0; r < rows; r++) {
        member[r] = 0;
        for (long m = 1; m < k; m++)
            if (!(q[m * rows + r] >= q[member[r] * rows + r])) member[r] = m; /* NaN is the lowest */
        *total += q[member[r] * rows + r];
    }
    backward_chosen(critic, of->critic_theta, of->critic_half, member, rows, kept, d_x, scratch, order, of->threads);
    return d_x;
}

/* Move the particles a (B N, D) from noise to actions. `total` is NaN or infinite as soon as one number on the way was. */
void decide(const Decision *of, float *a, double *total, float *scratch)
{
    long rows = of->rows, seen = of->observed, acted = of->acted, inputs = seen + acted, apart = inputs + of->embedded;
    float *x = scratch, *v = x + rows * apart, *working = v + rows * acted;
    double delta = 1.0 / of->steps;
    working += (working - scratch) & 1; /* places of eight bytes come first in it */
    *total = 0.0;
    for (long r = 0; r < rows; r++) {
        memcpy(x + r * apart, of->states + r / of->particles * seen, 4 * seen);
        for (long i = 0; i < seen; i++) *total += x[r * apart + i];
    }
    for (int step = 0; step < of->steps; step++) {
        float left = (float)(1.0 - (double)step / of->steps);
        for (long r = 0; r < rows; r++) {
            memcpy(x + r * apart + seen, a + r * acted, 4 * acted);
            memcpy(x + r * apart + inputs, of->times + step * of->embedded, 4 * of->embedded);
        }
        forward(of->flow, of->flow_theta, of->flow_half, x, apart, 0, rows, v, NULL, working, of->threads);
        const float *g = NULL;
        if (of->critic) {
            for (long r = 0; r < rows; r++)
                for (long i = 0; i < acted; i++)
                    x[r * apart + seen + i] = clipped(a[r * acted + i] + scaled(left, v[r * acted + i]));
            g = pull(of, x, apart, total, working);
        }
        for (long r = 0; r < rows; r++)
            for (long i = 0; i < acted; i++) {
                float *here = a + r * acted + i;
                *here += scaled((float)delta, v[r * acted + i]);
                if (g) *here += scaled((float)(delta * of->weight), g[r * inputs + seen + i]);
            }
    }
    for (long i = 0; i < rows * acted; i++) {
        *total += a[i];
        a[i] = clipped(a[i]);
    }
}
