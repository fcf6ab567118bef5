"""Which published arrays (names after ``out.``) are compared by which test module: every array by exactly one."""

# tests/parity/test_losses.py
LOSS_PATTERNS = [
    r"(bc_loss|bc_loss_formula|critic_loss|critic_loss_H3|expectile_loss|sql_loss_alpha0\.9|value_loss_(min|mean))",
    r"critic_loss_(min|mean)_(mean|max)",
    r"td_target(_H3|_(min|mean)_(mean|max))?",
    r"(v_next|next_q_particles|expectile_adv)",
    r"info\..+",
    r"upd\d\..+",
]

# tests/parity/test_steering.py: networks, kernels, directions, particles and samples
STEERING_PATTERNS = {
    "both": [r"q_(?P<which>online|target)", r"v"],
    "qgf": [
        r"time_freqs",
        r"t_(?P<times>grid|random)_embedding",
        r"velocity_(?P<times>t_on_grid|t_random)",
        r"dqda_target_(?P<how>min|mean)_at_(?P<at>actions|a_t)",
        r"sample_(?P<kind>euler|eulerjac|noisy)_(?P<how>min|mean)_w(?P<w>[\d.]+)(?P<variant>_bon4|_single_obs0)?",
        r"gradstep_steps(?P<steps>\d+)_size(?P<size>[\d.]+)(?P<sign>_sign)?",
        r"bptt_completed_w(?P<w>[\d.]+)",
    ],
    "vgf": [
        r"bc_xt",
        r"velocity",
        r"dqda_online_(?P<how>min|mean)",
        r"bc_particles",
        r"rbf_(?P<what>K|d2|inv_sigma2|d2_exactly_symmetric)\.(?P<at>X|bc)",
        r"svgd_gradK(?P<fixed>_fixed_sigma)?\.(?P<at>X|bc)",
        r"svgd_score_(?P<how>min|mean)\.(?P<at>X|bc)",
        r"svgd_phi_(?P<how>min|mean)_alpha(?P<alpha>[\d.]+)\.(?P<at>X|bc)",
        r"particles_(?P<how>min|mean)_alpha(?P<alpha>[\d.]+)_step(?P<steps>\d+)\.(?P<at>X|bc)",
        r"eval_action_steps(?P<steps>\d+)",
    ],
}
