<?php
// Publish from PHP, with nothing but PHP: php publish.php URL CHANNEL TEXT.
function publish(string $url, string $channel, string $text): array
{
    // Known before the first try: who gets no answer may send it again, and it is there once.
    $key = bin2hex(random_bytes(16));
    for ($try = 0; ; $try++) {
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => "Idempotency-Key: $key\r\nContent-Type: application/octet-stream",
            'content' => $text,
            'timeout' => 10,
            'ignore_errors' => true,
        ]]);
        $answer = @file_get_contents("$url/pub?id=" . rawurlencode($channel), false, $context);
        $status = isset($http_response_header) ? (int) explode(' ', $http_response_header[0])[1] : 0;
        if ($status === 200) {
            return json_decode($answer, true);
        }
        // 0: no answer; 503: not now. Anything else does not get better.
        if (($status !== 0 && $status !== 503) || $try === 5) {
            throw new RuntimeException("not published: $status");
        }
        usleep(200000 * 2 ** $try);
    }
}

[, $url, $channel, $text] = $argv;
echo json_encode(publish($url, $channel, $text)), "\n";
