# Sign a token in Ruby, with nothing but its standard library: ruby token.rb SECRET SUB PATTERN.
# HS256 (RFC 7518 3.2); a key pair and the gem `jwt` are better where others check, too.
require "base64"
require "json"
require "openssl"

def token(secret, sub, pattern, seconds = 3600)
  encode = ->(bytes) { Base64.urlsafe_encode64(bytes, padding: false) }
  claims = { sub: sub, exp: Time.now.to_i + seconds, channels: { subscribe: [pattern], publish: [pattern] } }
  signed = [{ alg: "HS256", typ: "JWT" }, claims].map { |part| encode.call(JSON.generate(part)) }.join(".")
  "#{signed}.#{encode.call(OpenSSL::HMAC.digest("SHA256", secret, signed))}"
end

puts token(*ARGV) if $PROGRAM_NAME == __FILE__
