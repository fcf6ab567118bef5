/* Forward and backward passes of a stack of MLPs: Dense, LayerNorm, activation, as workbench/engine/models/mlp.py has them.

   Rows are taken PANEL at a time and kept transposed, (features, PANEL): what a product reads then lies side by side, LayerNorm
   sums without crossing lanes, and a row goes through all layers while it is in the cache. Weights are read where they are. Fewer
   rows than SINGLY go another way, TOGETHER at a time (row.h).
   Every number is summed in one order, whatever the number of threads. */

#include "numbers.h"
#include "weights.h"
#include "row.h"

#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num(void) { return 0; }
#endif

static void forward_panel(const Net *net, const float *theta, int k, const float *x, long row, int rows, float *y, float *kept,
                          float *scratch)
{
    long size = widest(net) * PANEL;
    int columns = filled(rows);
    float *in = kept ? kept : scratch, *h = scratch + size;
    for (int i = 0; i < net->width[0]; i++) {
        for (int r = 0; r < rows; r++) in[(long)i * PANEL + r] = x[r * row + i];
        for (int r = rows; r < columns; r++) in[(long)i * PANEL + r] = 0.0f;
    }
    for (int l = 0; l < net->layers; l++) {
        int from = net->width[l], to = net->width[l + 1];
        const float *weight = theta + net->weight[l] + (long)k * from * to, *bias = theta + net->bias[l] + (long)k * to;
        multiply(to, from, weight, 1, to, in, bias, h, columns);
        if (l + 1 == net->layers) break;
        int normed = net->scale[l] >= 0;
        const float *scale = normed ? theta + net->scale[l] + (long)k * to : NULL;
        const float *shift = normed ? theta + net->shift[l] + (long)k * to : NULL;
        float *hat = NULL, *slope = NULL, *inverse = NULL;
        if (kept) {
            slope = in + (long)from * PANEL;
            inverse = slope + (long)to * PANEL;
            hat = normed ? inverse + PANEL : NULL;
            in = inverse + PANEL + (normed ? (long)to * PANEL : 0);
        }
        if (net->gelu) finish(1, to, scale, shift, h, in, hat, slope, inverse, columns);
        else finish(0, to, scale, shift, h, in, hat, slope, inverse, columns);
    }
    int out = net->width[net->layers];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < out; i++) y[(long)r * out + i] = h[(long)i * PANEL + r];
}

/* Numbers that `forward` keeps for `backward`, and those of working memory that each of the two needs. */
long kept_size(const Net *net, long rows)
{
    return net->members * (rows < SINGLY ? rows * kept_of_row(net) : (rows + PANEL - 1) / PANEL * kept_of_panel(net));
}
long forward_scratch(const Net *net, int threads) { return 2 * widest(net) * PANEL * threads; }

/* Whether so few rows are work enough for several threads, which may have to wait for each other. */
static int worth_threads(const Net *net, long rows)
{
    long products = 0;
    for (int l = 0; l < net->layers; l++) products += (long)net->width[l] * net->width[l + 1];
    return rows > 1 && net->members * rows * products > 4000000;
}

/* `half`, unless NULL: weights of theta as `pack` has them, read by few rows. y (K, M, O) of x, whose rows are `row` numbers apart and whose members `member` (0: the same rows for all). */
void forward(const Net *net, const float *theta, const Half *half, const float *x, long row, long member, long rows, float *y, float *kept,
             float *scratch, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, out = net->width[net->layers], each = 2 * widest(net) * PANEL;
    if (rows < SINGLY) {
        long groups = (rows + TOGETHER - 1) / TOGETHER;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && worth_threads(net, rows))
        for (long task = 0; task < net->members * groups; task++) {
            long k = task / groups, first = task % groups * TOGETHER, i = k * rows + first;
            int count = rows - first < TOGETHER ? (int)(rows - first) : TOGETHER;
            forward_rows(net, theta, half, k, count, x + k * member + first * row, row, y + i * out,
                         kept ? kept + i * kept_of_row(net) : NULL, scratch + omp_get_thread_num() * each);
        }
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (long task = 0; task < net->members * panels; task++) {
        long k = task / panels, first = task % panels * PANEL;
        int count = rows - first < PANEL ? (int)(rows - first) : PANEL;
        forward_panel(net, theta, (int)k, x + k * member + first * row, row, count, y + (k * rows + first) * out,
                      kept ? kept + task * kept_of_panel(net) : NULL, scratch + omp_get_thread_num() * each);
    }
}

long backward_scratch(const Net *net, long rows, int threads, int weights)
{
    long panels = (rows + PANEL - 1) / PANEL, own = 2 * widest(net) * PANEL * threads;
    long parts = rows < SINGLY ? rows * parts_of_row(net) : panels * parts_of_panel(net);
    return own + (weights ? net->members * (turned_of_member(net, rows < SINGLY ? rows : panels * PANEL) + parts) : 0);
}

/* g (n, PANEL), with respect to what an activation returned, becomes the gradient before LayerNorm; three sums of it where wanted. */
static void finish_backward(int n, const float *scale, const float *hat, const float *slope, const float *inverse, float *g,
                            float *sums, int columns)
{
    for (int j = 0; j < columns; j += LANES) {
        V one = all(0.0f), two = all(0.0f), rstd = scale ? at(inverse + j) : all(1.0f);
        for (int i = 0; i < n; i++) {
            long here = (long)i * PANEL + j;
            V d = at(g + here) * at(slope + here);
            if (scale) {
                V x = at(hat + here), product = d * x;
                if (sums) {
                    float *part = sums + 3L * i * LANES;
                    collect(part + LANES, product, j);
                    collect(part + 2 * LANES, d, j);
                }
                d *= scale[i];
                one += d;
                two += d * x;
            } else if (sums) {
                float *part = sums + 3L * i * LANES;
                collect(part, d, j);
            }
            put(g + here, d);
        }
        if (!scale) continue;
        one /= (float)n;
        two /= (float)n;
        for (int i = 0; i < n; i++) {
            long here = (long)i * PANEL + j;
            V d = rstd * (at(g + here) - one - at(hat + here) * two);
            put(g + here, d);
            if (sums) {
                float *part = sums + 3L * i * LANES;
                collect(part, d, j);
            }
        }
    }
}

static void sum_bias(int n, const float *g, float *sums, int columns)
{
    for (int i = 0; i < n; i++) {
        V sum = all(0.0f);
        for (int j = 0; j < columns; j += LANES) sum += at(g + (long)i * PANEL + j);
        put(sums + 3L * i * LANES, sum);
    }
}

/* The gradient of a panel, back through all layers. */
static void backward_panel(const Net *net, const float *theta, int k, const float *grad, int rows, const float *kept, float *d_x,
                           float *turned, long panels, long panel, float *parts, float *scratch)
{
    long size = widest(net) * PANEL;
    float *g = scratch, *next = scratch + size;
    int last = net->layers - 1, out = net->width[net->layers], columns = filled(rows);
    for (int i = 0; i < out; i++) {
        for (int r = 0; r < rows; r++) g[(long)i * PANEL + r] = grad[(long)r * out + i];
        for (int r = rows; r < columns; r++) g[(long)i * PANEL + r] = 0.0f;
    }
    const float *place = kept + kept_of_panel(net);
    float *block = turned ? turned + turned_of_member(net, panels * PANEL) : NULL, *part = parts ? parts + parts_of_panel(net) : NULL;
    place -= (long)net->width[last] * PANEL; /* at the input of the last layer */
    for (int l = last; l >= 0; l--) {
        int from = net->width[l], to = net->width[l + 1];
        if (turned) {
            block -= blocks(to) * panels * PANEL * PANEL;
            part -= 3L * to * LANES;
        }
        if (l < last) {
            int normed = net->scale[l] >= 0;
            const float *hat = NULL, *inverse, *slope;
            if (normed) hat = place -= (long)to * PANEL;
            inverse = place -= PANEL;
            slope = place -= (long)to * PANEL;
            place -= (long)from * PANEL;
            finish_backward(to, normed ? theta + net->scale[l] + (long)k * to : NULL, hat, slope, inverse, g, part, columns);
        } else if (turned) {
            sum_bias(to, g, part, columns);
        }
        if (turned) turn(to, g, block + panel * PANEL * PANEL, panels * PANEL, columns);
        if (l == 0 && !d_x) return;
        multiply(from, to, theta + net->weight[l] + (long)k * from * to, to, 1, g, NULL, next, columns);
        float *swap = g;
        g = next;
        next = swap;
    }
    int in = net->width[0];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < in; i++) d_x[(long)r * in + i] = g[(long)i * PANEL + r];
}

/* Back from grad (K, M, O): d_x (K, M, I) and d_theta, laid out as theta, each unless NULL. */
void backward(const Net *net, const float *theta, const Half *half, const float *grad, long rows, const float *kept, float *d_theta, float *d_x,
              float *scratch, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, each = 2 * widest(net) * PANEL, of_panel = kept_of_panel(net);
    int singly = rows < SINGLY, pieces = threads > 1 ? PIECES : 1;
    long groups = singly ? (rows + TOGETHER - 1) / TOGETHER : panels;
    long of_member = turned_of_member(net, singly ? rows : panels * PANEL), out = net->width[net->layers], in = net->width[0];
    float *turned = d_theta ? scratch + each * threads : NULL, *parts = d_theta ? turned + net->members * of_member : NULL;
#pragma omp parallel num_threads(threads) if (threads > 1 && (!singly || worth_threads(net, rows)))
    {
#pragma omp for schedule(static)
        for (long task = 0; task < net->members * groups; task++) {
            long k = task / groups, group = task % groups, size = singly ? TOGETHER : PANEL, first = group * size, i = k * rows + first;
            int count = rows - first < size ? (int)(rows - first) : (int)size;
            float *own = scratch + omp_get_thread_num() * each, *turn = turned ? turned + k * of_member : NULL;
            float *to = d_x ? d_x + i * in : NULL;
            if (singly)
                backward_rows(net, theta, half, k, count, grad + i * out, kept + i * kept_of_row(net), to, turn, rows, first,
                              parts ? parts + i * parts_of_row(net) : NULL, own);
            else
                backward_panel(net, theta, (int)k, grad + i * out, count, kept + task * of_panel, to, turn, panels, group,
                               parts ? parts + task * parts_of_panel(net) : NULL, own);
        }
        if (d_theta) {
#pragma omp for schedule(dynamic) collapse(3)
            for (int k = 0; k < net->members; k++)
                for (int l = 0; l < net->layers; l++)
                    for (int piece = 0; piece < pieces; piece++)
                        weight_piece(net, k, l, piece, pieces, kept, rows, turned, parts, d_theta);
        }
    }
}

/* What a panel of rows (places in the batch) needs, gathered from what member k kept. */
static void gather(const Net *net, const float *kept, const long *row, int count, float *own)
{
    const float *from[PANEL];
    for (int r = 0; r < PANEL; r++) from[r] = kept + row[r < count ? r : 0] / PANEL * kept_of_panel(net) + row[r < count ? r : 0] % PANEL;
    for (int l = 0; l + 1 < net->layers; l++) {
        long skip = (long)net->width[l] * PANEL, n = net->width[l + 1] * (net->scale[l] < 0 ? 1L : 2L) + 1;
        own += skip;
        for (int r = 0; r < PANEL; r++) from[r] += skip;
        for (long i = 0; i < n; i++)
            for (int r = 0; r < PANEL; r++) own[i * PANEL + r] = from[r][i * PANEL];
        own += n * PANEL;
        for (int r = 0; r < PANEL; r++) from[r] += n * PANEL;
    }
}

long chosen_scratch(const Net *net, int threads)
{
    return (2 * widest(net) * PANEL + kept_of_panel(net) + PANEL * (net->width[0] + 1L)) * threads;
}

/* d_x (M, I) of one output: of each row that of its own member, member (M,), alone. `order` has room for M places. */
void backward_chosen(const Net *net, const float *theta, const Half *half, const long *member, long rows, const float *kept, float *d_x,
                     float *scratch, long *order, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, each = chosen_scratch(net, 1), in = net->width[0], first = 0;
    float one = 1.0f;
    if (rows < SINGLY) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && worth_threads(net, rows))
        for (long r = 0; r < rows; r++)
            backward_rows(net, theta, half, member[r], 1, &one, kept + (member[r] * rows + r) * kept_of_row(net), d_x + r * in, NULL,
                          rows, r, NULL, scratch + omp_get_thread_num() * each);
        return;
    }
    for (int k = 0; k < net->members; k++) {
        long count = 0;
        for (long r = 0; r < rows; r++)
            if (member[r] == k) order[first + count++] = r;
        const float *held = kept + k * panels * kept_of_panel(net);
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
        for (long begin = 0; begin < count; begin += PANEL) {
            int some = count - begin < PANEL ? (int)(count - begin) : PANEL;
            float *working = scratch + omp_get_thread_num() * each, *own = working + 2 * widest(net) * PANEL;
            float *ones = own + kept_of_panel(net), *result = ones + PANEL;
            for (int r = 0; r < some; r++) ones[r] = 1.0f;
            gather(net, held, order + first + begin, some, own);
            backward_panel(net, theta, k, ones, some, own, result, NULL, 0, 0, NULL, working);
            for (int r = 0; r < some; r++) memcpy(d_x + order[first + begin + r] * in, result + r * in, 4 * in);
        }
        first += count;
    }
}

#include "decision.h"
