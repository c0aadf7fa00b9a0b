"""What several pages use: photos and addresses, people, words, how a page begins."""
