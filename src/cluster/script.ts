/**
 * The one script that writes: it gives the place in the order, opens incarnations, and puts entries into the
 * log, all in one step of the engine. Called with EVALSHA by engine-connection.ts. Numbers leave Lua as text
 * of all their digits: they have up to 16, and Lua would round.
 *
 *   KEYS  meta, log, nodes, then a counter for each channel, then one for each message with an idempotency
 *         key
 *   ARGV  kind, run, known term, top, total, second and tag, epoch, shards, who, then what the kind wants:
 *
 *   m  retention, window, then up to MOST_MESSAGES times: channel, flags, data, event id, event type,
 *      request, hash of what came with its key ('': none)
 *   others  request, …
 *
 * Messages are answered with position and count each: of one whose key is known, the position of the first
 * and DUPLICATE or, where that was another message, CONFLICT.
 *
 * Keys of a shard share one hash tag, so all of them are on one server of a Redis Cluster.
 *
 * An engine that is not the one of before (another run id: restarted, promoted, emptied) may have lost the
 * end of the log. The first who writes to it opens an incarnation: a term above all others, an entry that
 * says how far this history reached (`i`, with the fork), and a base above every position ever given out. So
 * no position means two messages, and whoever has read more than the fork knows what was lost. So does one
 * who has read a later term or a higher position than this history has: it was emptied, and begun anew by
 * somebody who knew less.
 */
export const START_MS = 1735689600000; // 2025-01-01, where positions begin to count
/** Positions a millisecond of the clock is worth. */
export const POSITIONS_A_MS = 1024;
/** Where the clock is behind: so far above the highest position that is known. */
export const GUARD = 1048576;

/** More than an engine takes messages in a second. */
export const TAGS_A_SECOND = 100000;

/** Where the messages of a call begin in ARGV, and how many words each has. */
export const MESSAGES_FROM = 12;
export const WORDS_A_MESSAGE = 7;
/** Instead of a count. */
export const DUPLICATE = -1;
export const CONFLICT = -2;

export const APPEND = `
local function text(number) return string.format('%.0f', number) end
local meta, log, nodes = KEYS[1], KEYS[2], KEYS[3]
local kind = ARGV[1]
local found = redis.call('HMGET', meta, 'run', 'term', 'n', 'sec', 'tag', 'top', 'total', 'base',
  'epoch', 'shards')
if found[9] and ARGV[7] ~= found[9] then return redis.error_reply('EPOCH ' .. found[9]) end
if found[10] and ARGV[8] ~= found[10] then return redis.error_reply('SHARDS ' .. found[10]) end
local time = redis.call('TIME')
local second = tonumber(time[1])
local term, n = tonumber(found[2] or 0), tonumber(found[3] or 0)
local sec, tag = tonumber(found[4] or 0), tonumber(found[5] or 0)
local top, total, base = tonumber(found[6] or 0), tonumber(found[7] or 0), tonumber(found[8] or 0)
local clock = (second * 1000 + math.floor(tonumber(time[2]) / 1000) - ${START_MS}) * ${POSITIONS_A_MS}
local function tick(of)
  if second > sec then sec, tag = second, of else tag = tag + of end
end
local function place() return text(sec) .. ' ' .. text(tag) .. ' ' .. text(total) .. ' ' .. text(top) end
local function append(head, ...)
  n = n + 1
  redis.call('XADD', log, text(term) .. '-' .. text(n), head, ...)
end
if found[1] ~= ARGV[2] or tonumber(ARGV[3]) > term or tonumber(ARGV[4]) > top then
  local previous, fork, at = term, n, text(sec) .. ' ' .. text(tag)
  top = math.max(top, tonumber(ARGV[4]))
  total = math.max(total, tonumber(ARGV[5]))
  local knownSec, knownTag = string.match(ARGV[6], '(%d+) (%d+)')
  -- Above every tag that was given out in this second, also by an engine of which nobody knows all: it took
  -- less than ${TAGS_A_SECOND} then.
  if second > sec then sec, tag = second, 0 end
  tag = math.max(tag, ${TAGS_A_SECOND} + math.floor(tonumber(time[2]) / 2))
  if tonumber(knownSec) > sec then sec, tag = tonumber(knownSec), 0 end
  if tonumber(knownSec) == sec then tag = math.max(tag, tonumber(knownTag) + ${TAGS_A_SECOND}) end
  term = math.max(second * 1000000 + tonumber(time[2]), term + 1, tonumber(ARGV[3]) + 1)
  if clock > top then base = clock else base = top + ${GUARD} end
  top = base
  append('i ' .. place() .. ' ' .. text(previous) .. ' ' .. text(fork) .. ' ' .. text(base) .. ' ' .. at
    .. ' ' .. ARGV[7], '')
  redis.call('HSET', meta, 'run', ARGV[2], 'base', text(base), 'epoch', ARGV[7], 'shards', ARGV[8])
end
local answer, isTaken = {}, true
if kind == 'm' then
  local retention, window = ARGV[10], ARGV[11]
  local items = (#ARGV - ${MESSAGES_FROM - 1}) / ${WORDS_A_MESSAGE}
  local keyed = 3 + items
  for item = 1, items do
    local at = ${MESSAGES_FROM} + (item - 1) * ${WORDS_A_MESSAGE}
    local name, flags, data, body = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 6]
    local known = false
    if body ~= '' then
      keyed = keyed + 1
      known = redis.call('GET', KEYS[keyed])
    end
    if known then
      local space = string.find(known, ' ', 1, true)
      local isSame = string.sub(known, space + 1) == body
      answer[#answer + 1] = isSame and string.sub(known, 1, space - 1) or '0'
      answer[#answer + 1] = isSame and '${DUPLICATE}' or '${CONFLICT}'
    else
      local key = KEYS[3 + item]
      local counter = redis.call('HMGET', key, 'p', 'b', 'o', 'e')
      local position, from, count = tonumber(counter[1]), tonumber(counter[2]), tonumber(counter[3] or 0)
      if not position then
        from = math.max(clock, top)
        position = from
      elseif from < base then
        redis.call('HSET', key, 'q', counter[1], 'z', counter[3])
        from = base
        position = base
      end
      position = position + 1
      count = count + 1
      if flags == 's' or flags == '-' or not string.find(flags, 'e') then total = total + 1 end
      top = math.max(top, position)
      tick(1)
      local head = 'm ' .. place() .. ' ' .. text(position) .. ' ' .. text(from) .. ' ' .. text(count)
        .. ' ' .. flags .. ' ' .. ARGV[9] .. ' ' .. ARGV[at + 5] .. '\\n' .. name
      if flags == 's' or flags == '-' then
        append(head, data)
      else
        append(head, data, ARGV[at + 3], ARGV[at + 4])
      end
      -- The counter outlives its messages by the retention at least; that is written anew when a quarter of
      -- it is over.
      if counter[4] and math.abs(second - tonumber(counter[4])) * 4000 < tonumber(retention) then
        redis.call('HSET', key, 'p', text(position), 'b', text(from), 'o', text(count))
      else
        redis.call('HSET', key, 'p', text(position), 'b', text(from), 'o', text(count), 'e', time[1])
        redis.call('PEXPIRE', key, text(tonumber(retention) * 1.25))
      end
      if body ~= '' then redis.call('SET', KEYS[keyed], text(position) .. ' ' .. body, 'EX', window) end
      answer[#answer + 1] = text(position)
      answer[#answer + 1] = text(count)
    end
  end
elseif kind == 'd' then
  for at = 4, #KEYS do
    redis.call('DEL', KEYS[at])
    tick(1)
    append('d ' .. place() .. ' ' .. ARGV[9] .. ' ' .. ARGV[10] .. '\\n' .. ARGV[12 + at - 4], ARGV[11])
  end
elseif kind == 'h' then
  tick(0)
  append('h ' .. place() .. ' ' .. ARGV[11], ARGV[12])
  redis.call('HSET', nodes, ARGV[11], text(n))
elseif kind == 'r' then
  local name, before, till = ARGV[11] .. ' ' .. ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
  local known = redis.call('HGET', KEYS[4], name)
  local knownBefore, knownTill = string.match(known or '', '(%d+) (%d+)')
  -- Never less than what stood there; 0 means whatever was issued.
  if known and tonumber(knownTill) > second then
    before = before ~= 0 and tonumber(knownBefore) ~= 0 and math.max(before, tonumber(knownBefore)) or 0
    till = math.max(till, tonumber(knownTill))
  end
  local mark = text(before) .. ' ' .. text(till)
  if mark ~= known then
    tick(0)
    append('r ' .. place() .. ' ' .. name .. ' ' .. mark, '')
    redis.call('HSET', KEYS[4], name, mark)
  end
elseif kind == 'p' then
  tick(0)
  append('p ' .. place() .. ' ' .. ARGV[11] .. ' ' .. ARGV[12] .. '\\n' .. ARGV[13], ARGV[14])
elseif kind == 'g' then
  isTaken = redis.call('HGET', nodes, ARGV[11]) == ARGV[12]
  if isTaken then
    redis.call('HDEL', nodes, ARGV[11])
    tick(0)
    append('g ' .. place() .. ' ' .. ARGV[11], '')
  end
end
redis.call('HSET', meta, 'term', text(term), 'n', text(n), 'sec', text(sec), 'tag', text(tag), 
  'top', text(top), 'total', text(total))
if not isTaken then return {'0', '0'} end
return {text(term), text(n), unpack(answer)}
`;
