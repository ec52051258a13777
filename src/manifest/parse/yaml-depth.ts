import { CST, Lexer } from 'yaml'

/** Whether a text may be nested deeper than `limit`. It may say yes for a text whose lines are indented that far. */
export function exceedsDepth(text: string, limit: number): boolean {
  return depthAtMost(text) > limit && depthByTokens(text, limit) > limit
}

/** A bound that costs little and is enough for nearly all texts: every level needs a bracket, or room on the left. */
function depthAtMost(text: string): number {
  let brackets = 0
  let room = 0
  let run = 0
  let inRun = true
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 10) {
      run = 0
      inRun = true
    } else if (character === 91 || character === 123) {
      brackets++
      inRun = false
    } else if (inRun && (character === 32 || character === 45 || character === 63 || character === 58)) {
      run++
      if (run > room) room = run
    } else {
      inRun = false
    }
  }
  return brackets + room
}

function depthByTokens(text: string, limit: number): number {
  let flow = 0
  let line = 0
  let atStart = true
  let deepest = 0
  for (const token of new Lexer().lex(text)) {
    switch (CST.tokenType(token)) {
      case 'newline':
        line = 0
        atStart = true
        break
      case 'space':
        if (atStart) line += token.length
        break
      case 'flow-map-start':
      case 'flow-seq-start':
        flow++
        break
      case 'flow-map-end':
      case 'flow-seq-end':
        flow--
        break
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
        if (flow === 0) line++
        deepest = Math.max(deepest, line + flow)
        break
      default:
        atStart = false
    }
    deepest = Math.max(deepest, flow)
    if (deepest > limit) break
  }
  return deepest
}
