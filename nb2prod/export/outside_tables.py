"""Calls that reach out of a run, by their full names: data for `nb2prod.export.outside_checks`."""

from __future__ import annotations

import re

# Each ends a name or a part of it: `requests.get`, and all of `boto3`.
NETWORK = re.compile(
    r"(?:"
    r"requests\.(?:get|post|put|patch|delete|head|options|request|[sS]ession)"
    r"|requests\.sessions\.Session"
    r"|httpx\.(?:get|post|put|patch|delete|head|options|request|stream|Client|AsyncClient)"
    r"|urllib\.request\.(?:urlopen|urlretrieve)|urllib\.urlopen|urllib2\.urlopen"
    r"|urllib3\.(?:PoolManager|request)"
    r"|http\.client\.HTTPS?Connection|ftplib\.\w+|smtplib\.\w+|paramiko\.\w+"
    r"|aiohttp\.(?:ClientSession|request)|socket\.create_connection|websockets?\.\w*connect\w*"
    r"|wget\.download|gdown\.download\w*|pooch\.retrieve|kagglehub\.\w+"
    r"|sklearn\.datasets\.(?:[\w.]+\.)?fetch_\w+|seaborn\.load_dataset"
    r"|statsmodels\.(?:api\.|datasets\.)+get_rdataset"
    r"|yfinance\.(?:download|Tickers?)"
    r"|pandas_datareader\.(?:[\w.]+\.)?(?:DataReader|get_\w+)"
    r"|pandas\.io\.data\.DataReader|fredapi\.Fred|quandl\.get|nasdaqdatalink\.get\w*"
    r"|torch\.hub\.(?:load|download_url_to_file|load_state_dict_from_url)"
    r"|torchvision\.datasets\.utils\.download_\w+|torchtext\.datasets\.\w+"
    r"|(?:tensorflow\.)?keras\.(?:datasets\.\w+\.load_data|utils\.get_file)"
    r"|(?:tensorflow\.)?keras\.utils\.data_utils\.get_file"
    r"|tensorflow_datasets\.load|tensorflow_hub\.(?:load|KerasLayer)"
    r"|datasets\.load_dataset|huggingface_hub\.\w*(?:download|login)\w*"
    r"|nltk\.download|spacy\.cli\.download|gensim\.downloader\.load"
    r"|openml\.\w+\.get_\w+|ucimlrepo\.fetch_ucirepo"
    r"|boto3\.(?:client|resource|Session)|google\.cloud\.\w+\.Client|s3fs\.S3FileSystem"
    r"|openai\.(?:OpenAI|AsyncOpenAI|AzureOpenAI|Completion\.create|ChatCompletion\.create)"
    r"|anthropic\.(?:Anthropic|AsyncAnthropic)|ee\.Initialize"
    r"|wikipedia\.\w+|tweepy\.(?:API|Client)|praw\.Reddit|googlemaps\.Client"
    r"|geopy\.geocoders\.\w+|osmnx\.(?:graph|geocoder?)\w*[\w.]*"
    r"|psycopg2?\.connect|pymysql\.connect|pymongo\.MongoClient"
    r")\Z"
)
# A class of data sets, or a model, that is fetched only where its arguments say so.
DOWNLOADING = re.compile(r"(?:torchvision|torchaudio|torch_geometric|medmnist|torchtext)\..*\Z")
ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|gcs|abfss?|hdfs)://")
# Functions that read what an address names; a text in another place is only a text.
READS_ADDRESS = re.compile(
    r"(?:read_\w+|scan_\w+|open|urlopen|urlretrieve|retrieve|imread|loadtxt|genfromtxt|get_file"
    r"|download\w*|load_state_dict_from_url|TileLayer|open_dataset|open_mfdataset|get_mapper)\Z"
)
SHELL_NETWORK = re.compile(
    r"(?:^|[;&|(]\s*|\bsudo\s+|\bthen\s+|\bdo\s+)(?:!\s*)?"
    r"(?P<command>wget|curl|gdown|git\s+clone|git\s+pull|kaggle\s+\w+|aws\s+s3|gsutil"
    r"|scp|rsync|ssh|ftp|huggingface-cli\s+\w+|apt(?:-get)?\s+install|npm\s+install)\b",
    re.MULTILINE,
)

# Readings of the clock: numbers, and what has a date in it.
CLOCK_NUMBERS = frozenset({"time.time", "time.time_ns"})
CLOCK_DATES = frozenset(
    {
        "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
        "datetime.date.today", "pandas.Timestamp.now", "pandas.Timestamp.today",
        "pandas.Timestamp.utcnow", "pandas.datetime.now", "arrow.now", "arrow.utcnow",
        "pendulum.now", "pendulum.today", "time.ctime", "time.asctime", "time.localtime",
        "time.gmtime", "time.strftime", "django.utils.timezone.now",
    }
)  # fmt: skip
# How many arguments one of these has where it is given a time, and reads no clock.
CLOCK_IF_FEWER = {
    "time.ctime": 1, "time.asctime": 1, "time.localtime": 1, "time.gmtime": 1, "time.strftime": 2,
}  # fmt: skip
CLOCK_TEXTS = frozenset({"now", "today"})
TAKES_CLOCK_TEXT = frozenset({"numpy.datetime64", "pandas.to_datetime", "pandas.Timestamp"})

ASKS = frozenset({"input", "raw_input", "getpass.getpass", "getpass.fallback_getpass"})
