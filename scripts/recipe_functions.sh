#!/usr/bin/env bash
# Of the recipes, which source it: what several of them do. Alone it does nothing.

optimizer_flags() { # SCHEDULE, warm-up updates, updates -> the array `optimizer`
  # The learning rate rises linearly in the warm-up. Then it falls linearly to 0 at the last update
  # (polynomial_decay), or stays (constant). fairseq's `fixed` has that warm-up; its `inverse_sqrt`
  # would go on to decay. LR, ADAM_BETAS, ADAM_EPS, WEIGHT_DECAY and CLIP_NORM are the recipe's.
  optimizer=(--optimizer adam --adam-betas "$ADAM_BETAS" --adam-eps "$ADAM_EPS"
    --weight-decay "$WEIGHT_DECAY" --clip-norm "$CLIP_NORM" --lr "$LR" --warmup-updates "$2")
  case $1 in
    polynomial_decay) optimizer+=(--lr-scheduler polynomial_decay --total-num-update "$3") ;;
    constant) optimizer+=(--lr-scheduler fixed) ;;
    *) echo "SCHEDULE=$1 is neither polynomial_decay nor constant" >&2; return 2 ;;
  esac
}

spread_lines() { # file, number -> that many of its lines, or all, spread evenly and in their order
  # Both sides of a pair have as many lines, so the same ones are taken of both.
  awk -v wanted="$2" -v lines="$(awk 'END { print NR }' "$1")" '
    wanted >= lines || int(NR * wanted / lines) > int((NR - 1) * wanted / lines)' "$1"
}
