/* Gradients of the weights: products over all rows at once, after every row has gone back. Of a member that are two parts:

   - `turned`: of each layer the gradient before its LayerNorm, in blocks of PANEL columns, (blocks, rows, PANEL), whole panels of
     rows where there are panels;
   - `parts`: what the gradients of bias, scale and shift sum; of each panel in LANES pieces, (panels, width, 3, LANES), or of each
     of few rows, (rows, 3, width). */

#pragma once

static long blocks(int width) { return (width + PANEL - 1) / PANEL; }

static long turned_of_member(const Net *net, long rows)
{
    long count = 0;
    for (int l = 0; l < net->layers; l++) count += blocks(net->width[l + 1]) * rows * PANEL;
    return count;
}

static long parts_of_row(const Net *net)
{
    long count = 0;
    for (int l = 0; l < net->layers; l++) count += 3L * net->width[l + 1];
    return count;
}

static long parts_of_panel(const Net *net) { return parts_of_row(net) * LANES; }

/* Inputs x of a layer: of row r and input i, x[i * down + r * along], and of the next panel `apart` numbers on. */
typedef struct {
    const float *x;
    long down, along, depth, apart, panels, rows; /* depth: rows of a panel, of which the last may have fewer */
} Inputs;

/* `few` rows of one layer's weight gradient from row i on, `wide` registers of columns of which there are `columns`. */
ALWAYS void weight_strip(int few, int wide, int columns, long out, const Inputs *of, long i, const float *turned, float *d_weight)
{
    V sum[FEW][WIDEST];
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) sum[i][v] = all(0.0f);
    for (long p = 0; p < of->panels; p++) {
        long depth = p + 1 < of->panels ? of->depth : of->rows - p * of->depth;
        product(depth, of->x + i * of->down + p * of->apart, of->down, of->along, turned + p * PANEL * PANEL, few, wide, sum);
    }
#pragma GCC unroll 32
    for (int i = 0; i < few; i++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++)
            if (v * LANES < columns) put_some(d_weight + i * out + v * LANES, sum[i][v], columns - v * LANES);
}

/* `few` rows, FEW or one, of all columns from `column` to `end`. */
static void weight_columns(int few, int column, int end, int out, const Inputs *of, int i, const float *turned, float *d_weight)
{
    for (; column < end; column += WIDEST * LANES) {
        int columns = out - column;
        const float *b = turned + column / PANEL * of->panels * of->depth * PANEL + column % PANEL;
        float *to = d_weight + (long)i * out + column;
        if (few == 1) weight_strip(1, WIDEST, columns, out, of, i, b, to);
        else if (columns <= LANES) weight_strip(FEW, 1, columns, out, of, i, b, to);
        else weight_strip(FEW, WIDEST, columns, out, of, i, b, to);
    }
}

enum { CACHED = 100000 }; /* numbers that stay in the second cache */

/* Rows first to last of it, (in, out): all columns at once where all of `turned` stays in the cache, for then writing is most of the
   work; else one strip of columns after the other. */
static void weight_rows(int first, int last, int out, const Inputs *of, const float *turned, float *d_weight)
{
    int few = last - first < FEW ? 1 : FEW, step = of->rows * out <= CACHED ? out : WIDEST * LANES;
    for (int column = 0; column < out; column += step)
        for (int done = first; done < last; done += few) {
            int i = done + few <= last ? done : last - few; /* a last strip that is too short does some rows once more */
            weight_columns(few, column, column + step < out ? column + step : out, out, of, i, turned, d_weight);
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

/* The gradients of bias, scale and shift of a layer of n outputs, three arrays of which scale and shift may be NULL. */
static void sum_panels(int n, long panels, const float *parts, long apart, float *const into[3])
{
    for (int i = 0; i < n; i++)
        for (int kind = 0; kind < 3; kind++)
            if (into[kind]) into[kind][i] = total(parts + (3L * i + kind) * LANES, apart, panels);
}

static void sum_rows(int n, long rows, const float *parts, long apart, float *const into[3])
{
    for (int kind = 0; kind < 3; kind++)
        for (long r = 0; into[kind] && r < rows; r++)
            for (int i = 0; i < n; i++)
                into[kind][i] = parts[r * apart + kind * n + i] + (r > 0 ? into[kind][i] : 0.0f);
}

enum { PIECES = 4 }; /* of a weight's gradient, where several threads compute it */

/* A piece of the gradient of layer l of member k; the first one brings those of bias, scale and shift. */
static void weight_piece(const Net *net, int k, int l, int piece, int pieces, const float *kept, long rows, const float *turned,
                         const float *parts, float *d_theta)
{
    int singly = rows < SINGLY, lanes = singly ? 1 : LANES, from = net->width[l], to = net->width[l + 1];
    long panels = singly ? 1 : (rows + PANEL - 1) / PANEL, depth = singly ? rows : PANEL;
    long apart = singly ? kept_of_row(net) : kept_of_panel(net), sums = parts_of_row(net) * lanes, before = 0;
    const float *block = turned + k * turned_of_member(net, panels * depth), *part = parts + k * (singly ? rows : panels) * sums;
    for (int m = 0; m < l; m++) {
        before += singly ? net->width[m] + 2L * net->width[m + 1] + 1
                         : ((long)net->width[m] + net->width[m + 1] * (net->scale[m] < 0 ? 1 : 2) + 1) * PANEL;
        block += blocks(net->width[m + 1]) * panels * depth * PANEL;
        part += 3L * net->width[m + 1] * lanes;
    }
    const float *x = kept + k * (singly ? rows : panels) * apart + before;
    Inputs of = {x, singly ? 1 : PANEL, singly ? apart : 1, depth, apart, panels, rows};
    weight_rows(from * piece / pieces, from * (piece + 1) / pieces, to, &of, block, d_theta + net->weight[l] + (long)k * from * to);
    if (piece > 0) return;
    int normed = net->scale[l] >= 0 && l + 1 < net->layers;
    float *into[3] = {d_theta + net->bias[l] + (long)k * to, normed ? d_theta + net->scale[l] + (long)k * to : NULL,
                      normed ? d_theta + net->shift[l] + (long)k * to : NULL};
    if (singly) sum_rows(to, rows, part, sums, into);
    else sum_panels(to, panels, part, sums, into);
}
