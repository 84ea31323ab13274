# Publish from Ruby, with nothing but its standard library: ruby publish.rb URL CHANNEL TEXT.
require "json"
require "net/http"
require "securerandom"

def publish(url, channel, text)
  # Known before the first try: who gets no answer may send it again, and it is there once.
  key = SecureRandom.hex(16)
  uri = URI("#{url}/pub?id=#{URI.encode_www_form_component(channel)}")
  6.times do |try|
    begin
      fields = { "Idempotency-Key" => key, "Content-Type" => "application/octet-stream" }
      answer = Net::HTTP.post(uri, text, fields)
      return JSON.parse(answer.body) if answer.code == "200"
      raise ArgumentError, "not published: #{answer.code}" unless answer.code == "503"
    rescue SystemCallError, EOFError, Net::OpenTimeout, Net::ReadTimeout
      # Nobody knows: again, with the same key.
    end
    sleep 0.2 * 2**try
  end
  raise "not published"
end

puts JSON.generate(publish(*ARGV)) if $PROGRAM_NAME == __FILE__
