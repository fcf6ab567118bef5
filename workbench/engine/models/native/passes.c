/* Forward and backward passes of a stack of MLPs: Dense, LayerNorm, activation, as workbench/engine/models/mlp.py has them.

   Rows are taken PANEL at a time and kept transposed, (features, PANEL): what a product reads then lies side by side, LayerNorm
   sums without crossing lanes, and a row goes through all layers while it is in the cache. Weights are read where they are. Of
   fewer rows than SINGLY each goes its own way (row.h).
   Every number is summed in one order, whatever the number of threads. */

#include "numbers.h"
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
    float *in = kept ? kept : scratch, *h = scratch + size;
    for (int i = 0; i < net->width[0]; i++) {
        for (int r = 0; r < rows; r++) in[(long)i * PANEL + r] = x[r * row + i];
        for (int r = rows; r < PANEL; r++) in[(long)i * PANEL + r] = 0.0f;
    }
    for (int l = 0; l < net->layers; l++) {
        int from = net->width[l], to = net->width[l + 1];
        const float *weight = theta + net->weight[l] + (long)k * from * to, *bias = theta + net->bias[l] + (long)k * to;
        multiply(to, from, weight, 1, to, in, bias, h);
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
        if (net->gelu) finish(1, to, scale, shift, h, in, hat, slope, inverse);
        else finish(0, to, scale, shift, h, in, hat, slope, inverse);
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

/* y (K, M, O) of x, whose rows are `row` numbers apart and whose members `member` (0: the same rows for all). */
void forward(const Net *net, const float *theta, const float *x, long row, long member, long rows, float *y, float *kept,
             float *scratch, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, out = net->width[net->layers], each = 2 * widest(net) * PANEL;
    if (rows < SINGLY) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && worth_threads(net, rows))
        for (long i = 0; i < net->members * rows; i++)
            forward_row(net, theta, i / rows, x + i / rows * member + i % rows * row, y + i * out,
                        kept ? kept + i * kept_of_row(net) : NULL, scratch + omp_get_thread_num() * 2 * widest(net));
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

/* Working memory of the weights' gradients: of each member and layer the turned gradient before its LayerNorm, and of each panel
   three sums (bias, scale, shift) in LANES parts. */
static long blocks(int width) { return (width + PANEL - 1) / PANEL; }

static long turned_of_member(const Net *net, long panels)
{
    long count = 0;
    for (int l = 0; l < net->layers; l++) count += blocks(net->width[l + 1]) * panels * PANEL * PANEL;
    return count;
}

static long parts_of_panel(const Net *net)
{
    long count = 0;
    for (int l = 0; l < net->layers; l++) count += 3L * net->width[l + 1] * LANES;
    return count;
}

long backward_scratch(const Net *net, long rows, int threads, int weights)
{
    long panels = (rows + PANEL - 1) / PANEL, own = 2 * widest(net) * PANEL * threads;
    return own + (weights ? net->members * (turned_of_member(net, panels) + panels * parts_of_panel(net)) : 0);
}

/* g (n, PANEL), with respect to what an activation returned, becomes the gradient before LayerNorm; three sums of it where wanted. */
static void finish_backward(int n, const float *scale, const float *hat, const float *slope, const float *inverse, float *g,
                            float *sums)
{
    for (int j = 0; j < PANEL; j += LANES) {
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

static void sum_bias(int n, const float *g, float *sums)
{
    for (int i = 0; i < n; i++) {
        V sum = all(0.0f);
        for (int j = 0; j < PANEL; j += LANES) sum += at(g + (long)i * PANEL + j);
        put(sums + 3L * i * LANES, sum);
    }
}

/* The gradient of a panel, back through all layers. */
static void backward_panel(const Net *net, const float *theta, int k, const float *grad, int rows, const float *kept, float *d_x,
                           float *turned, long panels, long panel, float *parts, float *scratch)
{
    long size = widest(net) * PANEL;
    float *g = scratch, *next = scratch + size;
    int last = net->layers - 1, out = net->width[net->layers];
    for (int i = 0; i < out; i++) {
        for (int r = 0; r < rows; r++) g[(long)i * PANEL + r] = grad[(long)r * out + i];
        for (int r = rows; r < PANEL; r++) g[(long)i * PANEL + r] = 0.0f;
    }
    const float *place = kept + kept_of_panel(net);
    float *block = turned ? turned + turned_of_member(net, panels) : NULL, *part = parts ? parts + parts_of_panel(net) : NULL;
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
            finish_backward(to, normed ? theta + net->scale[l] + (long)k * to : NULL, hat, slope, inverse, g, part);
        } else if (turned) {
            sum_bias(to, g, part);
        }
        if (turned) turn(to, g, block + panel * PANEL * PANEL, panels * PANEL);
        if (l == 0 && !d_x) return;
        multiply(from, to, theta + net->weight[l] + (long)k * from * to, to, 1, g, NULL, next);
        float *swap = g;
        g = next;
        next = swap;
    }
    int in = net->width[0];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < in; i++) d_x[(long)r * in + i] = g[(long)i * PANEL + r];
}

/* `few` rows of one layer's weight gradient, `wide` registers of columns of which there are `columns`: x (few, rows) times what
   `turn` left. */
ALWAYS void weight_strip(int few, int wide, int columns, long out, const float *x, long apart, long panels, const float *turned,
                         float *d_weight)
{
    V sum[FEW][WIDEST];
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) sum[i][v] = all(0.0f);
    for (long p = 0; p < panels; p++) product(PANEL, x + p * apart, PANEL, 1, turned + p * PANEL * PANEL, few, wide, sum);
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++)
            if (v * LANES < columns) put_some(d_weight + i * out + v * LANES, sum[i][v], columns - v * LANES);
}

/* Rows first to last of it, (in, out). */
static void weight_rows(int first, int last, int out, const float *x, long apart, long panels, const float *turned, float *d_weight)
{
    for (int column = 0; column < out; column += WIDEST * LANES) {
        int columns = out - column, narrow = columns <= LANES, few = last - first < FEW ? 1 : FEW;
        const float *b = turned + column / PANEL * panels * PANEL * PANEL + column % PANEL;
        for (int done = first; done < last; done += few) {
            int i = done + few <= last ? done : last - few; /* a last strip that is too short does some rows once more */
            const float *from = x + (long)i * PANEL;
            float *to = d_weight + (long)i * out + column;
            if (few == 1) weight_strip(1, WIDEST, columns, out, from, apart, panels, b, to);
            else if (narrow) weight_strip(FEW, 1, columns, out, from, apart, panels, b, to);
            else weight_strip(FEW, WIDEST, columns, out, from, apart, panels, b, to);
        }
    }
}

static float total(const float *parts, long apart, long panels)
{
    V sum = all(0.0f);
    for (long p = 0; p < panels; p++) sum += at(parts + p * apart);
    float out = 0.0f;
    for (int l = 0; l < LANES; l++) out += sum[l];
    return out;
}

enum { PIECES = 4 }; /* of a weight's gradient, where several threads compute it */

/* A piece of the gradient of layer l of member k; the first one brings those of bias, scale and shift. */
static void weight_piece(const Net *net, int k, int l, int piece, int pieces, const float *kept, long panels, const float *turned,
                         const float *parts, float *d_theta)
{
    long of_panel = kept_of_panel(net), sums = parts_of_panel(net);
    int from = net->width[l], to = net->width[l + 1], begin = from * piece / pieces, end = from * (piece + 1) / pieces;
    const float *x = kept + k * panels * of_panel, *block = turned + k * turned_of_member(net, panels), *part = parts + k * panels * sums;
    for (int m = 0; m < l; m++) {
        x += (long)net->width[m] * PANEL + (long)net->width[m + 1] * PANEL * (net->scale[m] < 0 ? 1 : 2) + PANEL;
        block += blocks(net->width[m + 1]) * panels * PANEL * PANEL;
        part += 3L * net->width[m + 1] * LANES;
    }
    weight_rows(begin, end, to, x, of_panel, panels, block, d_theta + net->weight[l] + (long)k * from * to);
    for (int i = 0; piece == 0 && i < to; i++) {
        const float *own = part + 3L * i * LANES;
        d_theta[net->bias[l] + (long)k * to + i] = total(own, sums, panels);
        if (net->scale[l] < 0 || l + 1 == net->layers) continue;
        d_theta[net->scale[l] + (long)k * to + i] = total(own + LANES, sums, panels);
        d_theta[net->shift[l] + (long)k * to + i] = total(own + 2 * LANES, sums, panels);
    }
}

/* Back from grad (K, M, O): d_x (K, M, I) and d_theta, laid out as theta, each unless NULL. */
void backward(const Net *net, const float *theta, const float *grad, long rows, const float *kept, float *d_theta, float *d_x,
              float *scratch, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, each = 2 * widest(net) * PANEL, of_panel = kept_of_panel(net);
    long of_member = turned_of_member(net, panels);
    long out = net->width[net->layers], in = net->width[0];
    int pieces = threads > 1 ? PIECES : 1;
    float *turned = d_theta ? scratch + each * threads : NULL, *parts = d_theta ? turned + net->members * of_member : NULL;
    if (rows < SINGLY) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && !d_theta && worth_threads(net, rows))
        for (long i = 0; i < net->members * rows; i++)
            backward_row(net, theta, i / rows, grad + i * out, kept + i * kept_of_row(net), d_x ? d_x + i * in : NULL, d_theta,
                         i % rows > 0, scratch + omp_get_thread_num() * 2 * widest(net));
        return;
    }
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (long task = 0; task < net->members * panels; task++) {
            long k = task / panels, panel = task % panels, first = panel * PANEL;
            int count = rows - first < PANEL ? (int)(rows - first) : PANEL;
            backward_panel(net, theta, (int)k, grad + (k * rows + first) * out, count, kept + task * of_panel,
                           d_x ? d_x + (k * rows + first) * in : NULL, turned ? turned + k * of_member : NULL, panels, panel,
                           parts ? parts + task * parts_of_panel(net) : NULL, scratch + omp_get_thread_num() * each);
        }
        if (d_theta) {
#pragma omp for schedule(dynamic) collapse(3)
            for (int k = 0; k < net->members; k++)
                for (int l = 0; l < net->layers; l++)
                    for (int piece = 0; piece < pieces; piece++)
                        weight_piece(net, k, l, piece, pieces, kept, panels, turned, parts, d_theta);
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
void backward_chosen(const Net *net, const float *theta, const long *member, long rows, const float *kept, float *d_x,
                     float *scratch, long *order, int threads)
{
    long panels = (rows + PANEL - 1) / PANEL, each = chosen_scratch(net, 1), in = net->width[0], first = 0;
    float one = 1.0f;
    if (rows < SINGLY) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && worth_threads(net, rows))
        for (long r = 0; r < rows; r++)
            backward_row(net, theta, member[r], &one, kept + (member[r] * rows + r) * kept_of_row(net), d_x + r * in, NULL, 0,
                         scratch + omp_get_thread_num() * 2 * widest(net));
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
            for (int r = 0; r < PANEL; r++) ones[r] = 1.0f;
            gather(net, held, order + first + begin, some, own);
            backward_panel(net, theta, k, ones, some, own, result, NULL, 0, 0, NULL, working);
            for (int r = 0; r < some; r++) memcpy(d_x + order[first + begin + r] * in, result + r * in, 4 * in);
        }
        first += count;
    }
}

#include "decision.h"
