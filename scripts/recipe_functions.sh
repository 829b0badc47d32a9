#!/usr/bin/env bash
# Of the recipes, which source it: what several of them do. Alone it does nothing.

optimizer_flags() { # SCHEDULE, warm-up updates, updates -> the array `optimizer`
  # The learning rate rises linearly in the warm-up. Then it falls linearly to 0 at the last update
  # (polynomial_decay), or stays (constant). fairseq's `fixed` has that warm-up; its `inverse_sqrt`
  # would go on to decay. The weight decay leaves layer norms and biases out (BERT, XTREME). LR,
  # ADAM_BETAS, ADAM_EPS, WEIGHT_DECAY, CLIP_NORM and PRECISION are the recipe's.
  optimizer=(--optimizer bert_adam --adam-betas "$ADAM_BETAS" --adam-eps "$ADAM_EPS"
    --weight-decay "$WEIGHT_DECAY" --clip-norm "$CLIP_NORM" --lr "$LR" --warmup-updates "$2")
  case $1 in
    polynomial_decay) optimizer+=(--lr-scheduler polynomial_decay --total-num-update "$3") ;;
    constant) optimizer+=(--lr-scheduler fixed) ;;
    *) echo "SCHEDULE=$1 is neither polynomial_decay nor constant" >&2; return 2 ;;
  esac
  # one fp32 copy of each parameter, because a vector of all has no layer norms to tell apart
  case " ${PRECISION:-} " in *" --fp16 "*) optimizer+=(--fp16-no-flatten-grads) ;; esac
}

spread_lines() { # file, number -> that many of its lines, or all, spread evenly and in their order
  # Both sides of a pair have as many lines, so the same ones are taken of both.
  awk -v wanted="$2" -v lines="$(awk 'END { print NR }' "$1")" '
    wanted >= lines || int(NR * wanted / lines) > int((NR - 1) * wanted / lines)' "$1"
}

# shellcheck disable=SC2034  # the recipes read ARCH
convert_pretrained() { # pretrained folder, folder to write -> ARCH, and MODEL_FLAGS with its shape
  if [ -n "${DRY_RUN:-}" ]; then
    printf '%q ' fairseq-amber convert "$1" "$2" --to amber
    echo
    return
  fi
  if [ ! -e "$2/model.pt" ] || [ ! -s "$2.architecture" ]; then
    local printed
    rm -rf "$2"
    printed=$(fairseq-amber convert "$1" "$2" --to amber)
    echo "$printed"
    # the last line says which flags build the model
    echo "$printed" | tail -n 1 | sed 's/^ *--arch *//; s/ *\.\.\.$//' >"$2.architecture"
  fi
  local shape
  read -r ARCH shape <"$2.architecture"
  MODEL_FLAGS="$shape ${MODEL_FLAGS:-}" # the last of two equal flags wins: yours
}

step() { # where to mark it, command: unless that command has ended well; DRY_RUN=1 prints it
  local mark=$1 command
  shift
  command=$(printf '%q ' "$@")
  if [ -n "${DRY_RUN:-}" ]; then
    echo "$command"
    return
  fi
  if [ -e "$mark.command" ] && [ "$command" != "$(cat "$mark.command")" ]; then
    echo "$mark.command holds other settings than these: give another NAME, or remove what it made" >&2
    return 2
  fi
  [ ! -e "$mark.complete" ] || return 0
  mkdir -p "$(dirname "$mark")"
  echo "$command" >"$mark.command"
  echo "== $command"
  "$@"
  touch "$mark.complete"
}

gpu_count() { # the number of GPUs, 0 on a CPU
  python -c 'import torch; print(torch.cuda.device_count())' 2>/dev/null || echo 0
}
