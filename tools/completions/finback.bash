# shellcheck shell=bash
# Completion of the finback command for bash.

_finback() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  local commands="chat complete encode parse tokenize inspect verify bench logits models balance cost cache options"
  local machine="--precision --threads --chunk --memory"
  local compute="$machine --effort-ladder --context"
  local sample="--temperature --top-p --top-k --min-p --seed --max-tokens --logprobs --stop"
  local service="--ledger --budget --record --replay --set"
  local options=

  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
    return
  fi
  case $previous in
    --precision)
      mapfile -t COMPREPLY < <(compgen -W "published bf16 float32" -- "$word")
      return
      ;;
    --effort)
      mapfile -t COMPREPLY < <(compgen -W "none low high max" -- "$word")
      return
      ;;
    --effort-ladder)
      mapfile -t COMPREPLY < <(compgen -W "auto preview 0731" -- "$word")
      return
      ;;
    --effort-prefix)
      mapfile -t COMPREPLY < <(compgen -W "none max beyond_max" -- "$word")
      return
      ;;
    --shape)
      mapfile -t COMPREPLY < <(compgen -W "flash pro tiny" -- "$word")
      return
      ;;
    -m | --model | --folder)
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --by)
      mapfile -t COMPREPLY < <(compgen -W "day model key user tag provider conversation" -- "$word")
      return
      ;;
    --tools | --request | --ledger | --record | --replay | --prices | --sha256 | --tokens | --out | --snapshot | --resume)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
  esac
  case $command in
    chat)
      options="--model --json --verbose --show-reasoning --no-cache --request --system --think --no-think --effort --tools
        --json-object $sample $compute $service"
      ;;
    complete) options="--model --json --verbose --suffix --plain --no-bos $sample $compute $service" ;;
    encode) options="--think --no-think --keep-thinking --no-bos --effort-prefix --request --ids --check-service --json --model --set" ;;
    parse) options="--think --no-think --strict" ;;
    tokenize) options="--model --ids --special --count --set" ;;
    inspect) options="--model --json --set $compute" ;;
    verify) options="--model --sha256 --set" ;;
    bench)
      options="--model --json --shape --kinds --experts --folder --depths --together --streams --prefill --prefill-depths
        --tokens --repeats --costs --set $machine"
      ;;
    models | balance) options="--model --json --set" ;;
    options) options="--json" ;;
    cache)
      options="--folder --name --json"
      if [[ $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "list verify clear" -- "$word")
        return
      fi
      ;;
    cost) options="--ledger --by --since --until --reprice --prices --json" ;;
    logits) options="--tokens --out --snapshot-at --snapshot --resume $compute" ;;
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -F _finback finback
